"""`python -m builder run|migrate`."""

from __future__ import annotations

from builder.app import build
from builder.settings import Settings
from modelyard_platform.service import main

if __name__ == "__main__":
    main("builder", "builder", Settings, build)
