"""Steps, and the environments they wait for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from modelyard_contracts.work import StepInput
from modelyard_platform.database import Connection
from scheduler.domain.jobs import Job, JobStep, StepOutcome
from scheduler.domain.plans import STEP_PLAN, StepPlan
from scheduler.domain.steps import Step
from scheduler.errors import StepNotFoundError
from scheduler.store import runs

_INSERT: Final = """
insert into steps (id, workspace, job, position, name, plan, environment_key) values ($1, $2, $3, $4, $5, $6, $7)
"""
_INSERT_ENVIRONMENT: Final = """
insert into environments (workspace, job, key, spec) values ($1, $2, $3, $4) on conflict do nothing
"""
_LIST: Final = "select * from steps where workspace = $1 and job = $2 order by position"
_GET: Final = "select * from steps where id = $1"
_JOB_OF: Final = "select workspace, job from steps where id = $1"
_SAVE: Final = """
update steps set status = $2, attempt = $3, outputs = $4, detail = $5,
    started_at = case when $2 = 'running' and status <> 'running' then now() when $2 = 'queued' then null else started_at end,
    ended_at = case when $2 in ('completed', 'failed', 'canceled', 'reused') then now() end,
    queued_at = case when $2 = 'queued' then now() else queued_at end,
    order_state = case
        when $2 = 'queued' then 'due'
        when $2 = 'canceled' and order_state = 'sent' then 'recalled'
        when $2 in ('completed', 'failed', 'canceled', 'reused') then 'over'
        else order_state end,
    order_number = case when $2 = 'queued' then order_number + 1 else order_number end,
    order_after = now()
where id = $1
"""
_SET_NODE: Final = "update steps set node = $2 where id = $1"
_SET_PREPARED: Final = "update steps set cache_key = $2, inputs = $3, source = $4 where id = $1"
_SET_OUTCOME: Final = """
update steps set exit_code = $2, log = $3, log_tail = $4, node = $5, seconds = $6, peak_rss_bytes = $7 where id = $1
"""
_SET_ENDED_EVENT: Final = "update steps set ended_event = $2 where id = $1"
_FIND_COMPLETED: Final = """
select job, name, outputs from steps where workspace = $1 and cache_key = $2 and status = 'completed'
order by ended_at desc limit 1
"""
_CLAIM_ENVIRONMENT: Final = """
update environments set leased_until = now() + interval '15 seconds', attempts = attempts + 1
where (workspace, job, key) = (
    select workspace, job, key from environments where leased_until <= now() order by leased_until limit 1 for update skip locked
)
returning workspace, job, key, spec, attempts
"""
_RELEASE_ENVIRONMENT: Final = """
update environments set leased_until = now() + make_interval(secs => $4) where workspace = $1 and job = $2 and key = $3
"""
_DELETE_ENVIRONMENT: Final = "delete from environments where workspace = $1 and job = $2 and key = $3"
_SET_LOCK: Final = "update steps set lock = $4 where workspace = $1 and job = $2 and environment_key = $3"
_COUNT: Final = """
select status, count(*) as steps from steps where status in ('waiting', 'queued', 'running') group by status
"""
_LOG_TAIL: Final = 16_384


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentTask:
    """An environment to be locked. `attempts` counts this one."""

    workspace: str
    job: str
    key: str
    spec: dict[str, Any] | str
    attempts: int


def _step(row: asyncpg.Record) -> JobStep:
    plan = STEP_PLAN.validate_python(row["plan"])
    return JobStep(
        id=row["id"],
        workspace=row["workspace"],
        job=row["job"],
        state=Step(
            name=row["name"],
            needs=plan.needs,
            status=row["status"],
            attempt=row["attempt"],
            outputs=row["outputs"],
            detail=row["detail"],
        ),
        plan=plan,
        environment_key=row["environment_key"],
        lock=row["lock"],
        cache_key=row["cache_key"],
        inputs=row["inputs"],
        source=row["source"],
        exit_code=row["exit_code"],
        log=row["log"],
        log_tail=row["log_tail"],
        node=row["node"],
        seconds=row["seconds"],
        peak_rss_bytes=row["peak_rss_bytes"],
        ended_event=row["ended_event"],
        created_at=row["created_at"],
        queued_at=row["queued_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def _key(spec: dict[str, Any] | str) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()


async def insert_steps(tx: Connection, workspace: str, job: str, plans: tuple[StepPlan, ...]) -> None:
    """The steps of a new job, and the distinct environments they wait for."""
    for position, plan in enumerate(plans):
        key = None if plan.environment is None else _key(plan.environment)
        row = STEP_PLAN.dump_python(plan, mode="json")
        await tx.execute(_INSERT, uuid4(), workspace, job, position, plan.name, row, key)
        if plan.environment is not None:
            await tx.execute(_INSERT_ENVIRONMENT, workspace, job, key, plan.environment)


async def list_steps(tx: Connection, job: Job) -> list[JobStep]:
    """In the order of the specification."""
    return [_step(row) for row in await tx.fetch(_LIST, job.workspace, job.name)]


async def require_step(tx: Connection, id_: UUID) -> JobStep:
    """Raises StepNotFoundError."""
    row = await tx.fetchrow(_GET, id_)
    if row is None:
        raise StepNotFoundError(id_.hex)
    return _step(row)


async def require_job_of(tx: Connection, id_: UUID) -> tuple[str, str]:
    """Workspace and name of the step's job. Raises StepNotFoundError."""
    row = await tx.fetchrow(_JOB_OF, id_)
    if row is None:
        raise StepNotFoundError(id_.hex)
    return row["workspace"], row["job"]


async def save_state(tx: Connection, step: JobStep, state: Step) -> None:
    """Keep what the state machine decided, and with it what is to become of the step's work order and what its run says."""
    await tx.execute(_SAVE, step.id, state.status, state.attempt, dict(state.outputs), state.detail)
    await runs.follow_step(tx, step.id)


async def set_node(tx: Connection, step: JobStep, node: str) -> None:
    """Where it runs."""
    await tx.execute(_SET_NODE, step.id, node)


async def set_prepared(
    tx: Connection, step: JobStep, cache_key: str, inputs: Mapping[str, StepInput], source: str | None = None
) -> None:
    """Keep the identity of the work and its bound inputs; `source` is the step whose outputs are used again."""
    dumped = {name: given.model_dump(exclude_defaults=True) for name, given in inputs.items()}
    await tx.execute(_SET_PREPARED, step.id, cache_key, dumped, source)


async def set_outcome(tx: Connection, step: JobStep, outcome: StepOutcome) -> None:
    """Keep what the runner reported."""
    tail = outcome.log_tail[-_LOG_TAIL:].replace("\0", "\N{REPLACEMENT CHARACTER}")
    await tx.execute(
        _SET_OUTCOME,
        step.id,
        outcome.exit_code,
        outcome.log,
        tail,
        outcome.node,
        outcome.seconds,
        outcome.peak_rss_bytes,
    )


async def set_ended_event(tx: Connection, step: JobStep, event_id: UUID) -> None:
    """The event that told of the step's end: the cause of what is made of its outputs."""
    await tx.execute(_SET_ENDED_EVENT, step.id, event_id)


async def find_completed(tx: Connection, workspace: str, cache_key: str) -> tuple[str, dict[str, str]] | None:
    """The newest step that did this very work, as `jobs/x/steps/y`, and its outputs."""
    row = await tx.fetchrow(_FIND_COMPLETED, workspace, cache_key)
    return None if row is None else (f"jobs/{row['job']}/steps/{row['name']}", row["outputs"])


async def claim_environment(tx: Connection) -> EnvironmentTask | None:
    """Take an environment to be locked, for fifteen seconds, or None."""
    row = await tx.fetchrow(_CLAIM_ENVIRONMENT)
    return None if row is None else EnvironmentTask(**dict(row))


async def release_environment(tx: Connection, task: EnvironmentTask, delay_s: float) -> None:
    """Give it back, to be tried again after a delay."""
    await tx.execute(_RELEASE_ENVIRONMENT, task.workspace, task.job, task.key, delay_s)


async def renew_environment(tx: Connection, task: EnvironmentTask) -> None:
    """Keep it for fifteen seconds more."""
    await tx.execute(_RELEASE_ENVIRONMENT, task.workspace, task.job, task.key, 15.0)


async def delete_environment(tx: Connection, task: EnvironmentTask) -> None:
    """It is locked, or will never be."""
    await tx.execute(_DELETE_ENVIRONMENT, task.workspace, task.job, task.key)


async def set_lock(tx: Connection, task: EnvironmentTask, digest: str) -> None:
    """The environment's identity, for every step of the job that runs in it."""
    await tx.execute(_SET_LOCK, task.workspace, task.job, task.key, digest)


async def count_active(tx: Connection) -> dict[str, int]:
    """Steps that have not ended, by status."""
    return {row["status"]: row["steps"] for row in await tx.fetch(_COUNT)}
