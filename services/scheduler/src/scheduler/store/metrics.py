"""Points of metrics: many in one statement."""

from __future__ import annotations

import math
from typing import Final

import asyncpg

from modelyard_platform.database import Connection
from scheduler.domain.runs import Metric

# In order of keys, so that two batches of one run wait for each other instead of locking each other out.
_INSERT: Final = """
with given as (
    select * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::float8[], $6::text[], $7::text[], $8::text[])
        as g (key, timestamp, step, value, model, dataset_name, dataset_digest)
), points as (
    insert into metrics (run, key, timestamp, step, value, model, dataset_name, dataset_digest)
    select $1, * from given on conflict do nothing
)
insert into latest_metrics as l (run, key, timestamp, step, value, model, dataset_name, dataset_digest)
select distinct on (key) $1::bigint, key, timestamp, step, value, model, dataset_name, dataset_digest
from given order by key, step desc, timestamp desc, value desc
on conflict (run, key) do update set timestamp = excluded.timestamp, step = excluded.step, value = excluded.value,
    model = excluded.model, dataset_name = excluded.dataset_name, dataset_digest = excluded.dataset_digest
where (excluded.step, excluded.timestamp, excluded.value) >= (l.step, l.timestamp, l.value)
"""
FIRST: Final = (-(2**63), -(2**63), -math.inf)
"""Before every point."""

_HISTORY: Final = """
select key, timestamp, step, value, model, dataset_name, dataset_digest from metrics
where run = $1 and key = $2 and (timestamp, step, value) > ($3::bigint, $4::bigint, $5::float8)
order by timestamp, step, value limit $6
"""


async def insert_metrics(tx: Connection, position: int, points: list[Metric]) -> None:
    """Add points to the run at `position`; one that is there already changes nothing."""
    if points:
        await tx.execute(
            _INSERT,
            position,
            [point.key for point in points],
            [point.timestamp for point in points],
            [point.step for point in points],
            [point.value for point in points],
            [point.model for point in points],
            [point.dataset_name for point in points],
            [point.dataset_digest for point in points],
        )


def _metric(row: asyncpg.Record) -> Metric:
    return Metric(**dict(row))


async def list_history(
    tx: Connection, position: int, key: str, *, after: tuple[int, int, float] = FIRST, limit: int
) -> list[Metric]:
    """A metric's points in order of time, behind one (its timestamp, step and value)."""
    return [_metric(row) for row in await tx.fetch(_HISTORY, position, key, *after, limit)]
