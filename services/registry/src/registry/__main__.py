"""`python -m registry run|migrate`."""

from __future__ import annotations

from modelyard_platform.service import main
from registry.app import build
from registry.settings import Settings

if __name__ == "__main__":
    main("registry", "registry", Settings, build)
