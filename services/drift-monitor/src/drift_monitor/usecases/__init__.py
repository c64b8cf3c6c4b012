"""What the drift monitor does. Only these open transactions."""

from __future__ import annotations

from typing import Final

SOURCE: Final = "drift-monitor"
