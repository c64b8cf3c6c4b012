"""The inbox: an event's id is kept, with its effect, in one transaction, so that a redelivery has no second effect."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from modelyard_platform.database import Connection

_INSERT: Final = """
insert into inbox (consumer, event_id) values ($1, $2) on conflict do nothing returning event_id
"""


async def first_time(tx: Connection, consumer: str, event_id: UUID) -> bool:
    """Whether `consumer` has not handled this event before. True is remembered if the caller's transaction commits."""
    return await tx.fetchval(_INSERT, consumer, event_id) is not None
