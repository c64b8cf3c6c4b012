"""The events the notifier follows: all but its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard_contracts import Event
from modelyard_platform.database import Connection
from modelyard_platform.subscribers import Subscribers
from notifier.domain.subscriptions import UNHEARD
from notifier.usecases import deliveries

subscribers = Subscribers("notifier")


@subscribers.on_any(except_=UNHEARD)
async def on_any_event(tx: Connection, events: Sequence[Event[Any]]) -> None:
    await deliveries.match_events(tx, events)
