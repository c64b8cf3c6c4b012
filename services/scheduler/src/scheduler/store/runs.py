"""Runs, and what jobs tell of themselves as runs."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from modelyard_platform.database import Connection
from modelyard_platform.errors import ConflictError
from scheduler.domain.runs import Dataset, ModelLink, Run, RunStatus, Search
from scheduler.errors import RunNotFoundError

_SHOWN: Final = """
r.*,
coalesce((
    select jsonb_agg(jsonb_build_object('key', m.key, 'value', m.value, 'timestamp', m.timestamp, 'step', m.step, 'model', m.model,
        'dataset_name', m.dataset_name, 'dataset_digest', m.dataset_digest) order by m.key)
    from latest_metrics m where m.run = r.position), '[]') as metrics,
coalesce((select jsonb_agg(to_jsonb(d) - 'run' order by d.name, d.digest) from run_datasets d where d.run = r.position), '[]') as datasets,
coalesce((select jsonb_agg(to_jsonb(l) - 'run' order by l.model) from run_models l where l.run = r.position), '[]') as models
"""
_INSERT: Final = """
insert into runs (workspace, id, experiment, name, status, artifacts, tags, created_by, started_at)
values ($1, $2, $3, $4, 'running', $5, $6, $7, $8)
"""
_GET: Final = f"select {_SHOWN} from runs r where r.workspace = $1 and r.id = $2"  # noqa: S608 - a constant of this module
_LOCK: Final = "select position, params, tags, deleted_at from runs where workspace = $1 and id = $2 for update"
_POSITION: Final = "select position, deleted_at from runs where workspace = $1 and id = $2"
_ANNOTATE: Final = "update runs set params = params || $2, tags = (tags || $3) - $4::text[] where position = $1"
_UPDATE: Final = """
update runs set name = coalesce($3, name), status = coalesce($4, status), ended_at = coalesce($5, ended_at)
where workspace = $1 and id = $2 and deleted_at is null
returning position
"""
_SET_DELETED: Final = """
update runs set deleted_at = case when $3 then coalesce(deleted_at, now()) end where workspace = $1 and id = $2 returning position
"""
_ADD_DATASET: Final = """
insert into run_datasets (run, name, digest, source_type, source, schema, profile, tags) values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (run, name, digest) do update set tags = run_datasets.tags || excluded.tags
"""
_ADD_MODEL: Final = """
insert into run_models (run, role, model, step) values ($1, $2, $3, $4) on conflict (run, role, model) do update set step = excluded.step
"""
_SEARCH: Final = f"""
select {_SHOWN} from runs r
cross join lateral (
    select array_agg(case when o.descending then null else value_of(r, o.field, o.key) end order by o.n) as up,
           array_agg(case when o.descending then value_of(r, o.field, o.key) end order by o.n) as down
    from rows from (jsonb_to_recordset($5::jsonb) as (field text, key text, descending boolean))
        with ordinality o (field, key, descending, n)
) ordered
where r.workspace = $1 and r.experiment = any($2) and ($3 = 'all' or (r.deleted_at is null) = ($3 = 'active'))
  and r.tags @> $6 and r.params @> $7
  and not exists (
    select from jsonb_to_recordset($4::jsonb) as c (field text, key text, op text, value jsonb)
    where not coalesce(
        case c.field
            when 'dataset' then exists (
                select from run_datasets d where d.run = r.position and compares(
                    case c.key
                        when 'name' then to_jsonb(d.name)
                        when 'digest' then to_jsonb(d.digest)
                        when 'context' then d.tags -> 'mlflow.data.context'
                    end, c.op, c.value))
            else compares(value_of(r, c.field, c.key), c.op, c.value)
        end, false)
  )
order by up[1], down[1] desc nulls last, up[2], down[2] desc nulls last, up[3], down[3] desc nulls last,
    r.started_at desc nulls last, r.position desc
offset $8 limit $9
"""  # noqa: S608

# A step that was queued is a run: its command finds the id in MLFLOW_RUN_ID. A pipeline is the run that its steps' runs have as parent.
_FOLLOW_STEP: Final = """
insert into runs (workspace, id, experiment, name, status, job, artifacts, tags, created_by, started_at, ended_at)
select s.workspace, replace(s.id::text, '-', ''), e.id,
    case j.kind when 'pipeline' then s.name else coalesce(j.display_name, j.name) end,
    case s.status when 'queued' then 'scheduled' when 'running' then 'running' when 'completed' then 'finished'
        when 'canceled' then 'killed' else 'failed' end,
    s.job, coalesce(e.location, e.id::text) || '/' || replace(s.id::text, '-', '') || '/artifacts',
    case j.kind when 'pipeline' then jsonb_build_object('mlflow.parentRunId', j.name) else '{}' end,
    j.created_by, coalesce(s.started_at, now()), s.ended_at
from steps s
join jobs j on (j.workspace, j.name) = (s.workspace, s.job)
join experiments e on (e.workspace, e.name) = (j.workspace, coalesce(j.experiment, 'Default'))
where s.id = $1 and s.attempt > 0
on conflict (workspace, id) do update set status = excluded.status, started_at = excluded.started_at, ended_at = excluded.ended_at
"""
_FOLLOW_JOB: Final = """
insert into runs (workspace, id, experiment, name, status, job, artifacts, created_by, started_at, ended_at)
select j.workspace, j.name, e.id, coalesce(j.display_name, j.name),
    case j.status when 'submitted' then 'scheduled' when 'completed' then 'finished' when 'failed' then 'failed'
        when 'canceled' then 'killed' else 'running' end,
    j.name, coalesce(e.location, e.id::text) || '/' || j.name || '/artifacts', j.created_by,
    coalesce(j.started_at, j.created_at), j.ended_at
from jobs j join experiments e on (e.workspace, e.name) = (j.workspace, coalesce(j.experiment, 'Default'))
where j.workspace = $1 and j.name = $2 and j.kind = 'pipeline'
on conflict (workspace, id) do update set status = excluded.status, started_at = excluded.started_at, ended_at = excluded.ended_at
"""


def _run(row: asyncpg.Record) -> Run:
    return Run(**{field: row[field] for field in Run.__dataclass_fields__})


async def insert_run(
    tx: Connection, workspace: str, actor: str, *, id_: str, experiment: int, name: str, artifacts: str,
    tags: dict[str, str], started_at: datetime,
) -> None:  # fmt: skip
    """A run that has begun."""
    await tx.execute(_INSERT, workspace, id_, experiment, name, artifacts, tags, actor, started_at)


async def require_run(tx: Connection, workspace: str, id_: str) -> Run:
    """Raises RunNotFoundError."""
    row = await tx.fetchrow(_GET, workspace, id_)
    if row is None:
        raise RunNotFoundError(id_)
    return _run(row)


async def require_position(tx: Connection, workspace: str, id_: str) -> int:
    """What a run's metrics are kept under. Raises RunNotFoundError, ConflictError for a deleted run."""
    return _active(id_, await tx.fetchrow(_POSITION, workspace, id_))


async def lock_notes(tx: Connection, workspace: str, id_: str) -> tuple[int, dict[str, str], dict[str, str]]:
    """Position, params and tags, kept from changing until the transaction ends. Raises as `require_position`."""
    row = await tx.fetchrow(_LOCK, workspace, id_)
    position = _active(id_, row)
    assert row is not None
    return position, row["params"], row["tags"]


def _active(id_: str, row: asyncpg.Record | None) -> int:
    if row is None:
        raise RunNotFoundError(id_)
    if row["deleted_at"] is not None:
        raise ConflictError(f"the run {id_!r} is deleted; restore it first", code="run_deleted")
    position: int = row["position"]
    return position


async def annotate(
    tx: Connection, position: int, *, params: dict[str, str], tags: dict[str, str], without: list[str]
) -> None:
    """Add params and tags, take tags away."""
    await tx.execute(_ANNOTATE, position, params, tags, without)


async def update_run(
    tx: Connection, workspace: str, id_: str, *, name: str | None, status: RunStatus | None, ended_at: datetime | None
) -> None:
    """Set what is not None. Raises as `require_position`."""
    if await tx.fetchval(_UPDATE, workspace, id_, name, status, ended_at) is None:
        await require_position(tx, workspace, id_)


async def set_deleted(tx: Connection, workspace: str, id_: str, *, deleted: bool) -> None:
    """Delete or restore. Raises RunNotFoundError."""
    if await tx.fetchval(_SET_DELETED, workspace, id_, deleted) is None:
        raise RunNotFoundError(id_)


async def add_datasets(tx: Connection, position: int, datasets: list[Dataset]) -> None:
    """Datasets that the run has read."""
    rows = [(position, d.name, d.digest, d.source_type, d.source, d.schema, d.profile, d.tags) for d in datasets]
    await tx.executemany(_ADD_DATASET, rows)


async def add_models(tx: Connection, position: int, links: list[ModelLink]) -> None:
    """Logged models that the run has read or made."""
    await tx.executemany(_ADD_MODEL, [(position, link.role, link.model, link.step) for link in links])


async def search_runs(tx: Connection, workspace: str, experiments: list[int], search: Search) -> list[Run]:
    """A page of the experiments' runs that meet all conditions; the last begun first unless an order is given."""
    rows = await tx.fetch(
        _SEARCH, workspace, experiments, search.lifecycle, search.conditions, search.order, search.equal("tag"),
        search.equal("param"), search.offset, search.limit,
    )  # fmt: skip
    return [_run(row) for row in rows]


async def follow_step(tx: Connection, id_: UUID) -> None:
    """Let the step's run, if it was ever queued, say what the step says."""
    await tx.execute(_FOLLOW_STEP, id_)


async def follow_job(tx: Connection, workspace: str, name: str) -> None:
    """Let a pipeline's run say what the pipeline says."""
    await tx.execute(_FOLLOW_JOB, workspace, name)
