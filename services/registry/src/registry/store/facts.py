"""The event log: audit and lineage read it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from modelyard_platform.database import Connection
from registry.domain.facts import Fact, Link

_INSERT: Final = """
insert into events
    (event_id, workspace, type, subject, sequence, time, actor, reason, correlation_id, causation_id, data)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (event_id) do nothing
"""
_GET: Final = "select * from events where workspace = $1 and event_id = $2"
_NEWEST: Final = """
select * from events where workspace = $1 and subject = $2 and type = $3 and time <= $4 order by sequence desc limit 1
"""
_LIST: Final = """
select * from events
where workspace = $1 and ($2::text is null or type = $2) and ($3::text is null or subject = $3)
  and ($4::text is null or correlation_id = $4) and position < $5
order by position desc limit $6
"""
_FIELDS: Final = tuple(Fact.__dataclass_fields__)


def read_fact(row: asyncpg.Record) -> Fact:
    """An event, from its row."""
    return Fact(**{field: row[field] for field in _FIELDS})


async def insert_fact(tx: Connection, workspace: str, fact: Fact) -> None:
    """Keep an event."""
    await tx.execute(
        _INSERT,
        fact.event_id,
        workspace,
        fact.type,
        fact.subject,
        fact.sequence,
        fact.time,
        fact.actor,
        fact.reason,
        fact.correlation_id,
        fact.causation_id,
        fact.data,
    )


async def get_fact(tx: Connection, workspace: str, event_id: UUID) -> Fact | None:
    """One event, or None when it is not known (yet)."""
    row = await tx.fetchrow(_GET, workspace, event_id)
    return read_fact(row) if row else None


async def newest_fact(tx: Connection, workspace: str, link: Link, until: datetime) -> Fact | None:
    """The newest event of a type about a subject, not younger than `until`."""
    row = await tx.fetchrow(_NEWEST, workspace, link.subject, link.type, until)
    return read_fact(row) if row else None


async def list_facts(
    tx: Connection,
    workspace: str,
    *,
    type_: str | None,
    subject: str | None,
    correlation: str | None,
    before: int,
    limit: int,
) -> list[tuple[int, Fact]]:
    """Events, newest first, with their position, below the cursor `before`."""
    rows = await tx.fetch(_LIST, workspace, type_, subject, correlation, before, limit)
    return [(row["position"], read_fact(row)) for row in rows]
