"""Work that was asked for by an event: an environment to be locked, a model to be converted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from modelyard_platform.cause import Cause

MAX_ATTEMPTS: Final = 6

TaskKind = Literal["environment", "conversion"]
TaskStatus = Literal["pending", "done", "failed", "skipped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """`attempts` counts those begun. `detail` says why it failed, was skipped, or is to be tried again."""

    kind: TaskKind
    workspace: str
    name: str
    version: str
    status: TaskStatus
    detail: str | None
    result: dict[str, Any]
    attempts: int
    cause: Cause
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """It worked."""

    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """It never will, and why. `refused` is the subject of a version that is not what was signed."""

    detail: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """There was nothing to be done, and why."""

    detail: str


Outcome = Done | Failed | Skipped


def delay_s(attempts: int, first_delay_s: float) -> float | None:
    """The wait after the nth attempt that failed for want of something else; it doubles. None after the last."""
    return None if attempts >= MAX_ATTEMPTS else first_delay_s * 2 ** (attempts - 1)
