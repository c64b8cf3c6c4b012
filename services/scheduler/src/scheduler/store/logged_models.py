"""Models that runs have logged."""

from __future__ import annotations

from typing import Final

import asyncpg

from modelyard_platform.database import Connection
from scheduler.domain.runs import LoggedModel, ModelStatus, Search
from scheduler.errors import LoggedModelNotFoundError

_SHOWN: Final = """
m.*,
coalesce((
    select jsonb_agg(jsonb_build_object('key', p.key, 'value', p.value, 'timestamp', p.timestamp, 'step', p.step, 'model', p.model,
        'run', p.run_id, 'dataset_name', p.dataset_name, 'dataset_digest', p.dataset_digest) order by p.key)
    from (
        select distinct on (x.key, x.run, x.dataset_name, x.dataset_digest) x.*, r.id as run_id
        from metrics x join runs r on r.position = x.run and r.workspace = m.workspace where x.model = m.id
        order by x.key, x.run, x.dataset_name, x.dataset_digest, x.step desc, x.timestamp desc, x.value desc
    ) p), '[]') as metrics
"""
_INSERT: Final = """
insert into logged_models (workspace, id, experiment, name, type, run, artifacts, params, tags, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_GET: Final = f"select {_SHOWN} from logged_models m where m.workspace = $1 and m.id = $2"  # noqa: S608 - a constant of this module
_LOCK: Final = (
    "select params, tags from logged_models where workspace = $1 and id = $2 and deleted_at is null for update"
)
_UPDATE: Final = """
update logged_models
set status = coalesce($3, status), params = params || $4, tags = (tags || $5) - $6::text[], updated_at = now()
where workspace = $1 and id = $2
"""
_DELETE: Final = """
update logged_models set deleted_at = now(), updated_at = now() where workspace = $1 and id = $2 and deleted_at is null returning id
"""
_SEARCH: Final = f"""
select {_SHOWN} from logged_models m
cross join lateral (
    select array_agg(case when o.descending then null else value_of(m, o.field, o.key) end order by o.n) as up,
           array_agg(case when o.descending then value_of(m, o.field, o.key) end order by o.n) as down
    from rows from (jsonb_to_recordset($5::jsonb) as (field text, key text, descending boolean))
        with ordinality o (field, key, descending, n)
) ordered
where m.workspace = $1 and m.experiment = any($2) and ($3 = 'all' or (m.deleted_at is null) = ($3 = 'active'))
  and not exists (
    select from jsonb_to_recordset($4::jsonb) as c (field text, key text, op text, value jsonb)
    where not coalesce(compares(value_of(m, c.field, c.key), c.op, c.value), false)
  )
order by up[1], down[1] desc nulls last, up[2], down[2] desc nulls last, up[3], down[3] desc nulls last, m.position desc
offset $6 limit $7
"""  # noqa: S608


def _model(row: asyncpg.Record) -> LoggedModel:
    return LoggedModel(**{field: row[field] for field in LoggedModel.__dataclass_fields__})


async def insert_model(
    tx: Connection, workspace: str, actor: str, *, id_: str, experiment: int, name: str, type_: str | None,
    run: str | None, artifacts: str, params: dict[str, str], tags: dict[str, str],
) -> None:  # fmt: skip
    """A model whose files are still to come."""
    await tx.execute(_INSERT, workspace, id_, experiment, name, type_, run, artifacts, params, tags, actor)


async def require_model(tx: Connection, workspace: str, id_: str, *, deleted: bool = False) -> LoggedModel:
    """Raises LoggedModelNotFoundError, also for a deleted one unless `deleted`."""
    row = await tx.fetchrow(_GET, workspace, id_)
    if row is None or (row["deleted_at"] is not None and not deleted):
        raise LoggedModelNotFoundError(id_)
    return _model(row)


async def lock_notes(tx: Connection, workspace: str, id_: str) -> tuple[dict[str, str], dict[str, str]]:
    """Params and tags, kept from changing until the transaction ends. Raises LoggedModelNotFoundError."""
    row = await tx.fetchrow(_LOCK, workspace, id_)
    if row is None:
        raise LoggedModelNotFoundError(id_)
    return row["params"], row["tags"]


async def update_model(
    tx: Connection, workspace: str, id_: str, *, status: ModelStatus | None, params: dict[str, str],
    tags: dict[str, str], without: list[str],
) -> None:  # fmt: skip
    """Set a status, add params and tags, take tags away."""
    await tx.execute(_UPDATE, workspace, id_, status, params, tags, without)


async def mark_deleted(tx: Connection, workspace: str, id_: str) -> None:
    """Raises LoggedModelNotFoundError."""
    if await tx.fetchval(_DELETE, workspace, id_) is None:
        raise LoggedModelNotFoundError(id_)


async def search_models(tx: Connection, workspace: str, experiments: list[int], search: Search) -> list[LoggedModel]:
    """A page of the experiments' models that meet all conditions; the newest first unless an order is given."""
    rows = await tx.fetch(
        _SEARCH, workspace, experiments, search.lifecycle, search.conditions, search.order, search.offset, search.limit
    )
    return [_model(row) for row in rows]
