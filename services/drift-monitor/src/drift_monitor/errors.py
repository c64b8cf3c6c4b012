"""The drift monitor's errors."""

from __future__ import annotations

from modelyard_platform.errors import InvalidError, NotFoundError, PreconditionError

__all__ = ["BaselineError", "InvalidError", "MonitorNotFoundError", "UnsupportedMonitorError"]


class MonitorNotFoundError(NotFoundError):
    """Names the monitors that there are."""

    code = "monitor_not_found"

    def __init__(self, name: str, exists: list[str]) -> None:
        super().__init__(f"there is no monitor {name!r}; there are {', '.join(exists) or 'none yet'}", exists=exists)


class UnsupportedMonitorError(InvalidError):
    """Well formed, and not acted upon yet."""

    code = "unsupported"


class BaselineError(PreconditionError):
    """The reference data has no usable profile."""

    code = "baseline_unusable"
