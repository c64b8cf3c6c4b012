"""What the drift monitor's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class MonitorRequest(BaseModel):
    """A monitor schedule of the CLI v2 language, as JSON."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any]


class Monitor(BaseModel):
    """`every_s`: seconds between comparisons. `ignored`: keys that were accepted and have no effect."""

    name: str
    endpoint: str
    deployment: str
    every_s: int
    window_rows: int
    signals: dict[str, dict[str, Any]]
    spec: dict[str, Any]
    created_by: str
    updated_at: datetime
    ignored: list[str] = []


class MonitorPage(BaseModel):
    items: list[Monitor]
    next: str | None


class SignalState(BaseModel):
    name: str
    state: Literal["quiet", "drifting"]
    since: datetime | None


class Evaluation(BaseModel):
    signal: str
    number: int
    model: str | None
    rows: int
    drifted: bool
    features: list[dict[str, Any]]
    at: datetime


class Signals(BaseModel):
    """Each signal's state, rows in the window that is filling, and the newest evaluations."""

    signals: list[SignalState]
    window_rows: int
    evaluations: list[Evaluation]
