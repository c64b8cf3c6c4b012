"""`python -m drift_monitor run|migrate`."""

from __future__ import annotations

from drift_monitor.app import build
from drift_monitor.settings import Settings
from modelyard_platform.service import main

if __name__ == "__main__":
    main("drift-monitor", "drift_monitor", Settings, build)
