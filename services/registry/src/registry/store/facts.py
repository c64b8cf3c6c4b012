"""The event log: audit and lineage read it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from modelyard_platform.database import Connection
from registry.domain.facts import Fact, Link

_INSERT: Final = """
insert into events
    (event_id, workspace, type, subject, sequence, time, actor, reason, correlation_id, causation_id, data)
select * from unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[],
    $11::jsonb[]
) on conflict (event_id) do nothing
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


async def insert_facts(tx: Connection, new: Sequence[tuple[str, Fact]]) -> None:
    """Keep events, each with its workspace, in this order."""
    await tx.execute(
        _INSERT,
        [fact.event_id for _, fact in new],
        [workspace for workspace, _ in new],
        [fact.type for _, fact in new],
        [fact.subject for _, fact in new],
        [fact.sequence for _, fact in new],
        [fact.time for _, fact in new],
        [fact.actor for _, fact in new],
        [fact.reason for _, fact in new],
        [fact.correlation_id for _, fact in new],
        [fact.causation_id for _, fact in new],
        [fact.data for _, fact in new],
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
