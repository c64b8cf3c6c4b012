"""The events the scheduler follows: all of them, since any may fire a trigger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard_contracts import Event
from modelyard_platform.database import Connection
from modelyard_platform.subscribers import Subscribers
from scheduler.usecases import triggering

subscribers = Subscribers("scheduler")


@subscribers.on_any(except_=("schedule.*",))
async def on_any_event(tx: Connection, events: Sequence[Event[Any]]) -> None:
    await triggering.on_events(tx, events)
