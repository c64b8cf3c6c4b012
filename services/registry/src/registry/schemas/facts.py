"""The event log and what is read from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class LoggedEvent(BaseModel):
    id: str
    type: str
    subject: str
    sequence: int
    time: datetime
    actor: str
    reason: str | None
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]


class EventPage(BaseModel):
    items: list[LoggedEvent]
    next: str | None


class Because(BaseModel):
    """One fact of an explanation; `because` holds the ids of the facts it rests on."""

    id: str
    type: str
    subject: str
    time: datetime
    actor: str
    reason: str | None
    data: dict[str, Any]
    because: list[str]


class Explanation(BaseModel):
    subject: str
    chain: list[Because]
