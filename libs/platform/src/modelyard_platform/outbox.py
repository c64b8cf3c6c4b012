"""The outbox: an event is written in the transaction of the change it tells of. The relay publishes it after the commit.

Source: the transactional outbox pattern (microservices.io/patterns/data/transactional-outbox.html).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from modelyard_contracts import Event, EventData, encode, full_type
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection

CHANNEL: Final = "modelyard_outbox"
"""PostgreSQL notification that wakes the relay; the payload is the schema."""

# The row lock on the subject's counter also orders the commits of one subject's events.
_NEXT_SEQUENCE: Final = """
insert into outbox_sequences (workspace, subject, sequence) values ($1, $2, 1)
on conflict (workspace, subject) do update set sequence = outbox_sequences.sequence + 1
returning sequence
"""
_INSERT: Final = """
with event as (
    insert into outbox (event_id, workspace, type, subject, sequence, envelope) values ($1, $2, $3, $4, $5, $6)
)
select pg_notify('modelyard_outbox', current_schema())
"""


async def add(tx: Connection, source: str, data: EventData, cause: Cause) -> Event[Any]:
    """Write `data` as an event of service `source` into the caller's transaction, and never commit it.

    The event exists exactly when the transaction commits. Its `sequence` counts the events of its subject without a gap.
    """
    sequence = await tx.fetchval(_NEXT_SEQUENCE, cause.workspace, data.subject)
    event: Event[Any] = Event[Any](
        id=uuid4(),
        source=f"/modelyard/{source}",
        type=full_type(data.TYPE),
        subject=data.subject,
        time=datetime.now(UTC),
        workspace=cause.workspace,
        actor=cause.actor,
        reason=cause.reason,
        correlationid=cause.correlation_id,
        causationid=cause.causation_id,
        sequence=sequence,
        traceparent=cause.traceparent,
        data=data.model_dump(mode="json"),
    )
    await tx.execute(_INSERT, event.id, cause.workspace, data.TYPE, data.subject, sequence, encode(event).decode())
    return event
