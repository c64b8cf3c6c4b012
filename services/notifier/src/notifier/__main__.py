"""`python -m notifier run|migrate`."""

from __future__ import annotations

from modelyard_platform.service import main
from notifier.app import build
from notifier.settings import Settings

if __name__ == "__main__":
    main("notifier", "notifier", Settings, build)
