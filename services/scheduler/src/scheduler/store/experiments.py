"""Experiments."""

from __future__ import annotations

from typing import Final

import asyncpg

from modelyard_platform.database import Connection
from scheduler.domain.runs import DEFAULT_EXPERIMENT, Experiment, Search
from scheduler.errors import ExperimentExistsError, ExperimentNotFoundError

_ENSURE: Final = """
insert into experiments (workspace, id, name, created_by)
values ($1, case when $2 = 'Default' then 0 else nextval('experiment_ids') end, $2, $3) on conflict do nothing
"""
_INSERT: Final = """
insert into experiments (workspace, name, location, tags, created_by) values ($1, $2, $3, $4, $5) returning *
"""
_GET: Final = "select * from experiments where workspace = $1 and id = $2"
_GET_BY_NAME: Final = "select * from experiments where workspace = $1 and name = $2"
_UPDATE: Final = """
update experiments set name = coalesce($3, name), tags = (tags || $4) - $5::text[], updated_at = now()
where workspace = $1 and id = $2 returning *
"""
_SET_DELETED: Final = """
update experiments set deleted_at = case when $3 then coalesce(deleted_at, now()) end, updated_at = now()
where workspace = $1 and id = $2
"""
_SET_RUNS_DELETED: Final = """
update runs set deleted_at = case when $3 then now() end
where workspace = $1 and experiment = $2 and (deleted_at is null) = $3
"""
_SEARCH: Final = """
select e.* from experiments e
cross join lateral (
    select array_agg(case when o.descending then null else value_of(e, o.field, o.key) end order by o.n) as up,
           array_agg(case when o.descending then value_of(e, o.field, o.key) end order by o.n) as down
    from rows from (jsonb_to_recordset($4::jsonb) as (field text, key text, descending boolean))
        with ordinality o (field, key, descending, n)
) ordered
where e.workspace = $1 and ($2 = 'all' or (e.deleted_at is null) = ($2 = 'active'))
  and not exists (
    select from jsonb_to_recordset($3::jsonb) as c (field text, key text, op text, value jsonb)
    where not coalesce(compares(value_of(e, c.field, c.key), c.op, c.value), false)
  )
order by up[1], down[1] desc nulls last, up[2], down[2] desc nulls last, up[3], down[3] desc nulls last, e.updated_at desc, e.id desc
offset $5 limit $6
"""


def _experiment(row: asyncpg.Record) -> Experiment:
    return Experiment(
        id=row["id"],
        name=row["name"],
        location=row["location"],
        tags=row["tags"],
        deleted_at=row["deleted_at"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


async def ensure_experiment(tx: Connection, workspace: str, name: str | None, actor: str) -> None:
    """Make the experiment of this name if it is not there; without a name, the workspace's `Default`."""
    await tx.execute(_ENSURE, workspace, name or DEFAULT_EXPERIMENT, actor)


async def insert_experiment(
    tx: Connection, workspace: str, actor: str, *, name: str, location: str | None, tags: dict[str, str]
) -> Experiment:
    """Raises ExperimentExistsError."""
    try:
        row = await tx.fetchrow(_INSERT, workspace, name, location, tags, actor)
    except asyncpg.UniqueViolationError as error:
        raise ExperimentExistsError(name) from error
    assert row is not None
    return _experiment(row)


async def require_experiment(tx: Connection, workspace: str, id_: int) -> Experiment:
    """Raises ExperimentNotFoundError."""
    row = await tx.fetchrow(_GET, workspace, id_)
    if row is None:
        raise ExperimentNotFoundError(str(id_))
    return _experiment(row)


async def get_by_name(tx: Connection, workspace: str, name: str) -> Experiment | None:
    """The experiment of this name, deleted or not, or None."""
    row = await tx.fetchrow(_GET_BY_NAME, workspace, name)
    return None if row is None else _experiment(row)


async def update_experiment(
    tx: Connection, workspace: str, id_: int, *, name: str | None, tags: dict[str, str], without: list[str]
) -> Experiment:
    """Set a name, add tags, take tags away. Raises ExperimentNotFoundError, ExperimentExistsError."""
    try:
        row = await tx.fetchrow(_UPDATE, workspace, id_, name, tags, without)
    except asyncpg.UniqueViolationError as error:
        raise ExperimentExistsError(name or "") from error
    if row is None:
        raise ExperimentNotFoundError(str(id_))
    return _experiment(row)


async def set_deleted(tx: Connection, workspace: str, id_: int, *, deleted: bool) -> None:
    """Delete or restore an experiment and, with it, its runs."""
    await tx.execute(_SET_DELETED, workspace, id_, deleted)
    await tx.execute(_SET_RUNS_DELETED, workspace, id_, deleted)


async def search_experiments(tx: Connection, workspace: str, search: Search) -> list[Experiment]:
    """A page of those that meet all conditions; the last changed first unless an order is given."""
    rows = await tx.fetch(
        _SEARCH, workspace, search.lifecycle, search.conditions, search.order, search.offset, search.limit
    )
    return [_experiment(row) for row in rows]
