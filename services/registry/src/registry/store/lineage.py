"""The lineage graph's edges, and the events that tell what a node was at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from modelyard_platform.database import Connection
from registry.domain.facts import Fact
from registry.domain.lineage import Edge, KeptEdge
from registry.store.facts import read_fact

# The first event that says so counts, whatever the order of arrival.
_INSERT_LASTING: Final = """
insert into edges (workspace, target, source, relation, since, event_id, sequence)
select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[], $7::bigint[])
on conflict (workspace, target, source, relation) where holder is null
do update set since = excluded.since, event_id = excluded.event_id, sequence = excluded.sequence
where (edges.since, edges.event_id) > (excluded.since, excluded.event_id)
"""
_INSERT_HELD: Final = """
insert into edges (workspace, target, source, relation, since, until, event_id, holder, sequence)
select $1, target, source, relation, $5, $6, $7, $8, $9 from unnest($2::text[], $3::text[], $4::text[]) as new (target, source, relation)
on conflict (workspace, holder, sequence, target, source, relation) where holder is not null do nothing
"""
# Two events of one holder may be handled side by side: neither would see the other.
_LOCK_HOLDER: Final = "select pg_advisory_xact_lock(hashtextextended('lineage ' || $1 || ' ' || $2, 0))"
_END_HELD: Final = """
update edges set until = $4
where workspace = $1 and holder = $2 and holder is not null and sequence < $3 and (until is null or until > $4)
"""
_NEXT: Final = """
select min(time) from events where workspace = $1 and subject = $2 and type = any($3) and sequence > $4
"""
_UP: Final = """
select e.* from unnest($2::text[]) as near (node) cross join lateral (
    select source, relation, target, since, until, event_id from edges
    where workspace = $1 and target = near.node
        and since <= coalesce($3, 'infinity'::timestamptz) and (until is null or until > $3)
    order by since desc limit $4
) e
"""
_DOWN: Final = """
select e.* from unnest($2::text[]) as near (node) cross join lateral (
    select source, relation, target, since, until, event_id from edges
    where workspace = $1 and source = near.node
        and since <= coalesce($3, 'infinity'::timestamptz) and (until is null or until > $3)
    order by since desc limit $4
) e
"""
_KNOWN: Final = """
select exists (select from events where workspace = $1 and subject = $2)
    or exists (select from edges where workspace = $1 and target = $2)
    or exists (select from edges where workspace = $1 and source = $2)
"""
# The list of types is that of the index events_by_state, word for word, or it is not used.
_STATES: Final = """
select e.* from unnest($2::text[]) as wanted (node) cross join lateral (
    select * from events
    where workspace = $1 and subject = wanted.node and time <= coalesce($3, 'infinity'::timestamptz) and type in (
        'model.registered', 'model.archived', 'model.deleted', 'data.registered', 'data.archived', 'data.deleted',
        'environment.registered', 'environment.archived', 'environment.deleted', 'environment.build_failed',
        'component.registered', 'component.archived', 'component.deleted',
        'job.submitted', 'job.started', 'job.completed', 'job.failed', 'job.canceled',
        'deployment.requested', 'deployment.ready', 'deployment.failed', 'deployment.degraded', 'deployment.deleted',
        'endpoint.created', 'endpoint.traffic_changed', 'endpoint.deleted',
        'monitor.updated', 'monitor.deleted', 'trigger.updated', 'trigger.deleted'
    )
    order by time desc, sequence desc limit 1
) e
"""
_BY_IDS: Final = "select * from events where event_id = any($2) and workspace = $1"
# Writers of a workspace's graph go side by side, whoever builds it anew goes alone.
_WRITE: Final = "select pg_advisory_xact_lock_shared(hashtextextended('lineage of ' || $1, 0))"
_STOP_WRITERS: Final = "select pg_advisory_xact_lock(hashtextextended('lineage of ' || $1, 0))"
_DELETE_ALL: Final = "delete from edges where workspace = $1"
_LOG: Final = "select * from events where workspace = $1 order by position"
_WITHOUT_EDGES: Final = """
select distinct workspace from events v where not exists (select from edges e where e.workspace = v.workspace)
"""


async def begin_writing(tx: Connection, workspace: str) -> None:
    """Wait while a workspace's graph is built anew. Who writes into several workspaces' begins in the order of their names."""
    await tx.execute(_WRITE, workspace)


async def insert_lasting(tx: Connection, workspace: str, new: Sequence[tuple[Edge, Fact]]) -> None:
    """Edges that hold for ever. Each of them once in `new`, in a fixed order: two writers never wait for each other in a circle."""
    if not new:
        return
    await tx.execute(
        _INSERT_LASTING,
        workspace,
        [edge.target for edge, _ in new],
        [edge.source for edge, _ in new],
        [edge.relation for edge, _ in new],
        [fact.time for _, fact in new],
        [fact.event_id for _, fact in new],
        [fact.sequence for _, fact in new],
    )


async def lock_holder(tx: Connection, workspace: str, holder: str) -> None:
    """Let nobody else change what this subject holds until the transaction ends."""
    await tx.execute(_LOCK_HOLDER, workspace, holder)


async def insert_held(
    tx: Connection, workspace: str, edges: Sequence[Edge], fact: Fact, successors: Sequence[str]
) -> None:
    """Edges that hold until the fact's subject has the next event of these types; what earlier ones of them said ends here."""
    await tx.execute(_END_HELD, workspace, fact.subject, fact.sequence, fact.time)
    if edges:
        until = await tx.fetchval(_NEXT, workspace, fact.subject, list(successors), fact.sequence)
        await tx.execute(
            _INSERT_HELD,
            workspace,
            [edge.target for edge in edges],
            [edge.source for edge in edges],
            [edge.relation for edge in edges],
            fact.time,
            until,
            fact.event_id,
            fact.subject,
            fact.sequence,
        )


async def neighbours(
    tx: Connection, workspace: str, nodes: Sequence[str], at: datetime | None, limit: int, *, up: bool
) -> list[KeptEdge]:
    """The edges that lead to (`up`) or from these nodes and held at `at` (None: now), at most `limit` of each node, the newest."""
    rows = await tx.fetch(_UP if up else _DOWN, workspace, nodes, at, limit)
    return [KeptEdge(**dict(row)) for row in rows]


async def is_known(tx: Connection, workspace: str, node: str) -> bool:
    """Whether anything ever happened to it."""
    known: bool = await tx.fetchval(_KNOWN, workspace, node)
    return known


async def newest_states(tx: Connection, workspace: str, nodes: Sequence[str], at: datetime | None) -> dict[str, Fact]:
    """The event that tells what each node was at `at` (None: now); nodes without one are left out."""
    rows = await tx.fetch(_STATES, workspace, nodes, at)
    return {row["subject"]: read_fact(row) for row in rows}


async def facts_by_id(tx: Connection, workspace: str, ids: Sequence[UUID]) -> dict[UUID, Fact]:
    """Events by their ids."""
    return {row["event_id"]: read_fact(row) for row in await tx.fetch(_BY_IDS, workspace, ids)}


async def delete_edges(tx: Connection, workspace: str) -> None:
    """Forget a workspace's graph. Others go on reading it as it was until the transaction ends, and wait with writing."""
    await tx.execute(_STOP_WRITERS, workspace)
    await tx.execute(_DELETE_ALL, workspace)


async def read_log(tx: Connection, workspace: str) -> AsyncIterator[Fact]:
    """Every event, oldest first."""
    row: asyncpg.Record
    async for row in tx.cursor(_LOG, workspace, prefetch=1000):
        yield read_fact(row)


async def workspaces_without_edges(tx: Connection) -> list[str]:
    """Workspaces whose log was kept before there was a graph."""
    return [row["workspace"] for row in await tx.fetch(_WITHOUT_EDGES)]
