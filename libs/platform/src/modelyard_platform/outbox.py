"""The outbox: an event is written in the transaction of the change it tells of. The relay publishes it after the commit.

Source: the transactional outbox pattern (microservices.io/patterns/data/transactional-outbox.html).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from modelyard_contracts import Event, EventData, full_type
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection

CHANNEL: Final = "modelyard_outbox_"
"""PostgreSQL notification that wakes the relay of a schema, whose name follows: others sleep on."""

# One statement, since each is a round trip within every change. The row lock on the subject's counter also orders the commits of
# one subject's events.
_INSERT: Final = """
with counted as (
    insert into outbox_sequences (workspace, subject, sequence) values ($2, $4, 1)
    on conflict (workspace, subject) do update set sequence = outbox_sequences.sequence + 1
    returning sequence
), event as (
    insert into outbox (event_id, workspace, type, subject, sequence, envelope)
    select $1::uuid, $2, $3, $4, sequence, '{"sequence":' || sequence || ',' || substr($5, 2) from counted
)
select sequence, pg_notify('modelyard_outbox_' || current_schema(), '') from counted
"""


async def add(tx: Connection, source: str, data: EventData, cause: Cause) -> Event[Any]:
    """Write `data` as an event of service `source` into the caller's transaction, and never commit it.

    The event exists exactly when the transaction commits. Its `sequence` counts the events of its subject without a gap.
    """
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
        sequence=1,  # until the database has counted
        traceparent=cause.traceparent,
        data=data.model_dump(mode="json"),
    )
    uncounted = event.model_dump_json(exclude_none=True, exclude={"sequence"})
    sequence = await tx.fetchval(_INSERT, event.id, cause.workspace, data.TYPE, data.subject, uncounted)
    return event.model_copy(update={"sequence": sequence})
