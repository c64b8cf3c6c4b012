"""`python -m gateway run`."""

from __future__ import annotations

from gateway.app import build
from gateway.settings import Settings
from modelyard_platform.service import main

if __name__ == "__main__":
    main("gateway", "gateway", Settings, build)
