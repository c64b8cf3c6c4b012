"""The inbox: an event's id is kept, with its effect, in one transaction, so that a redelivery has no second effect.

An event that had no effect leaves no entry: most events mean nothing to most consumers, and each entry is a write that the
disk has to confirm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from modelyard_contracts import Event
from modelyard_platform.database import Connection

_INSERT: Final = """
insert into inbox (consumer, event_id) values ($1, $2) on conflict do nothing returning event_id
"""
_INSERT_ALL: Final = """
insert into inbox (consumer, event_id) select $1, * from unnest($2::uuid[]) on conflict do nothing returning event_id
"""
_KNOWN_OF: Final = "select event_id from inbox where consumer = $1 and event_id = any($2)"
_KNOWN: Final = "select exists (select from inbox where consumer = $1 and event_id = $2)"
_HAS_WRITTEN: Final = "select pg_current_xact_id_if_assigned() is not null"


class HandledMeanwhileError(Exception):
    """Another delivery of the same event was handled at the same time: this one's effect must not be committed."""


async def first_time(tx: Connection, consumer: str, event_id: UUID) -> bool:
    """Whether `consumer` has not handled this event before. True is remembered if the caller's transaction commits."""
    return await tx.fetchval(_INSERT, consumer, event_id) is not None


async def once(tx: Connection, consumer: str, event_id: UUID, effect: Callable[[], Awaitable[None]]) -> None:
    """Let an event have its effect in the caller's transaction, unless it had it before.

    Raises HandledMeanwhileError when two deliveries were handled at the same time; the transaction must then be rolled back.
    """
    if await tx.fetchval(_KNOWN, consumer, event_id):
        return
    await effect()
    if await tx.fetchval(_HAS_WRITTEN) and not await first_time(tx, consumer, event_id):
        raise HandledMeanwhileError(consumer, event_id)


async def once_each(
    tx: Connection,
    consumer: str,
    events: Iterable[Event[Any]],
    effect: Callable[[Sequence[Event[Any]]], Awaitable[None]],
) -> None:
    """`once` for events that came together: those that had no effect before have it now, all of them or none.

    Raises HandledMeanwhileError when somebody else handled one of them at the same time.
    """
    fresh = {event.id: event for event in events}
    for row in await tx.fetch(_KNOWN_OF, consumer, list(fresh)):
        del fresh[row["event_id"]]
    if not fresh:
        return
    await effect(list(fresh.values()))
    if await tx.fetchval(_HAS_WRITTEN):
        kept = await tx.fetch(_INSERT_ALL, consumer, sorted(fresh))
        if len(kept) < len(fresh):
            raise HandledMeanwhileError(consumer, *fresh)
