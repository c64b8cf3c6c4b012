"""`python -m serving run|migrate`."""

from __future__ import annotations

from modelyard_platform.service import main
from serving.app import build
from serving.settings import Settings

if __name__ == "__main__":
    main("serving", "serving", Settings, build)
