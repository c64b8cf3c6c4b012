"""`python -m scheduler run|migrate`."""

from __future__ import annotations

from modelyard_platform.service import main
from scheduler.app import build
from scheduler.settings import Settings

if __name__ == "__main__":
    main("scheduler", "scheduler", Settings, build)
