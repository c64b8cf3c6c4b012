"""Jobs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any, Final

import asyncpg

from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection
from scheduler.domain.jobs import Job, NewJob
from scheduler.domain.plans import JOB_PLAN
from scheduler.domain.steps import JobStatus
from scheduler.errors import JobExistsError, JobNotFoundError
from scheduler.store import runs

CHANNEL: Final = "modelyard_scheduler"
"""PostgreSQL notification that wakes workers; the payload names the worker."""

_INSERT: Final = """
insert into jobs (workspace, name, kind, plan, spec, git, inputs, display_name, experiment, description, tags, properties,
                  trigger, cause, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
_GET: Final = "select * from jobs where workspace = $1 and name = $2"
_LOCK: Final = "select * from jobs where workspace = $1 and name = $2 for update"
_LIST: Final = """
select * from jobs
where workspace = $1 and position < $2 and ($3::text is null or status = $3) and ($4::text is null or kind = $4)
  and ($5::text is null or experiment = $5) and ($6::text is null or trigger = $6) and archived = any($7)
order by position desc limit $8
"""
_UPDATE: Final = """
update jobs set display_name = $3, experiment = $4, description = $5, tags = $6, archived = $7 where workspace = $1 and name = $2
"""
# A run is called as its job is; a step of a pipeline has its own name.
_RENAME_RUNS: Final = """
update runs r set name = coalesce(j.display_name, j.name) from jobs j
where j.workspace = $1 and j.name = $2 and (r.workspace, r.job) = (j.workspace, j.name) and (j.kind <> 'pipeline' or r.id = j.name)
"""
_MOVE_RUNS: Final = """
update runs r set experiment = e.id
from jobs j join experiments e on (e.workspace, e.name) = (j.workspace, coalesce(j.experiment, 'Default'))
where j.workspace = $1 and j.name = $2 and (r.workspace, r.job) = (j.workspace, j.name)
"""
_SET_CAUSE: Final = "update jobs set cause = $3 where workspace = $1 and name = $2"
_MARK_RUNNING: Final = """
update jobs set status = 'running', started_at = now() where workspace = $1 and name = $2 and status = 'submitted' returning name
"""
_MARK_FINALIZING: Final = "update jobs set status = 'finalizing' where workspace = $1 and name = $2"
_MARK_ENDED: Final = """
update jobs set status = $3, detail = $4, failed_step = $5, outputs = $6, ended_at = now()
where workspace = $1 and name = $2
returning extract(epoch from now() - coalesce(started_at, created_at))::double precision
"""
_GET_SPEC: Final = "select spec from jobs where workspace = $1 and name = $2"
_RING: Final = "select pg_notify($1, $2)"


def _job(row: asyncpg.Record) -> Job:
    return Job(
        position=row["position"],
        workspace=row["workspace"],
        name=row["name"],
        status=row["status"],
        plan=JOB_PLAN.validate_python(row["plan"]),
        display_name=row["display_name"],
        experiment=row["experiment"],
        description=row["description"],
        tags=row["tags"],
        properties=row["properties"],
        git=row["git"],
        inputs=row["inputs"],
        outputs=row["outputs"],
        trigger=row["trigger"],
        detail=row["detail"],
        failed_step=row["failed_step"],
        cause=Cause(**row["cause"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        archived=row["archived"],
    )


async def insert_job(tx: Connection, cause: Cause, new: NewJob) -> None:
    """A new job; its steps are rows of their own. Raises JobExistsError."""
    plan = JOB_PLAN.dump_python(new.plan, mode="json") | {"steps": []}
    try:
        await tx.execute(
            _INSERT, cause.workspace, new.name, new.plan.kind, plan, new.spec, new.git, new.inputs, new.display_name,
            new.experiment, new.description, new.tags, new.properties, new.trigger, asdict(cause), cause.actor,
        )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise JobExistsError(new.name) from error
    await runs.follow_job(tx, cause.workspace, new.name)


async def set_cause(tx: Connection, workspace: str, name: str, cause: Cause) -> None:
    """Keep the cause of whatever will follow from the job."""
    await tx.execute(_SET_CAUSE, workspace, name, asdict(cause))


async def require_job(tx: Connection, workspace: str, name: str) -> Job:
    """Raises JobNotFoundError."""
    row = await tx.fetchrow(_GET, workspace, name)
    if row is None:
        raise JobNotFoundError(name)
    return _job(row)


async def lock_job(tx: Connection, workspace: str, name: str) -> Job:
    """The job, with everything that changes it or its steps kept waiting until the transaction ends. Raises JobNotFoundError."""
    row = await tx.fetchrow(_LOCK, workspace, name)
    if row is None:
        raise JobNotFoundError(name)
    return _job(row)


async def require_spec(tx: Connection, workspace: str, name: str) -> dict[str, Any]:
    """The specification as it was resolved. Raises JobNotFoundError."""
    spec: dict[str, Any] | None = await tx.fetchval(_GET_SPEC, workspace, name)
    if spec is None:
        raise JobNotFoundError(name)
    return spec


async def list_jobs(
    tx: Connection, workspace: str, *, before: int, status: JobStatus | None, kind: str | None, experiment: str | None,
    trigger: str | None, archived: Collection[bool], limit: int,
) -> list[Job]:  # fmt: skip
    """A page, newest first; `before` is the position of the last one seen. `archived`: those that are, those that are not, or both."""
    rows = await tx.fetch(_LIST, workspace, before, status, kind, experiment, trigger, list(archived), limit)
    return [_job(row) for row in rows]


async def update_job(tx: Connection, before: Job, job: Job) -> None:
    """Keep what is said of a job as it is in `job`; its runs are called like it, and are of its experiment, which must exist."""
    await tx.execute(
        _UPDATE, job.workspace, job.name, job.display_name, job.experiment, job.description, job.tags, job.archived
    )
    if job.display_name != before.display_name:
        await tx.execute(_RENAME_RUNS, job.workspace, job.name)
    if job.experiment != before.experiment:
        await tx.execute(_MOVE_RUNS, job.workspace, job.name)


async def mark_running(tx: Connection, job: Job) -> bool:
    """Whether it was not running before."""
    changed = await tx.fetchval(_MARK_RUNNING, job.workspace, job.name) is not None
    if changed:
        await runs.follow_job(tx, job.workspace, job.name)
    return changed


async def mark_finalizing(tx: Connection, job: Job) -> None:
    """All steps are done; outputs are being registered."""
    await tx.execute(_MARK_FINALIZING, job.workspace, job.name)


async def mark_ended(
    tx: Connection, job: Job, status: JobStatus, *, detail: str | None = None, step: str | None = None,
    outputs: dict[str, str] | None = None,
) -> float:  # fmt: skip
    """The end of a job; returns how long it took in seconds."""
    seconds: float = await tx.fetchval(_MARK_ENDED, job.workspace, job.name, status, detail, step, outputs or {})
    await runs.follow_job(tx, job.workspace, job.name)
    return seconds


async def ring(tx: Connection, worker: str) -> None:
    """Wake a worker when the transaction commits."""
    await tx.execute(_RING, CHANNEL, worker)
