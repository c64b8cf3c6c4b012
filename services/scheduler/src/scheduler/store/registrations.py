"""Outputs that are to be registered as assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from modelyard_platform.database import Connection
from scheduler.domain.jobs import Job
from scheduler.domain.plans import AssetPlan

_PLAN: Final = TypeAdapter(AssetPlan)
_INSERT: Final = "insert into registrations (workspace, job, output, plan) values ($1, $2, $3, $4)"
_CLAIM: Final = """
update registrations set leased_until = now() + interval '15 seconds', attempts = attempts + 1
where (workspace, job, output) = (
    select workspace, job, output from registrations where status = 'waiting' and leased_until <= now()
    order by leased_until limit 1 for update skip locked
)
returning workspace, job, plan, attempts
"""
_RELEASE: Final = """
update registrations set leased_until = now() + make_interval(secs => $4), detail = $5
where workspace = $1 and job = $2 and output = $3
"""
_MARK: Final = """
update registrations set status = $4, version = $5, detail = $6 where workspace = $1 and job = $2 and output = $3
"""
_WAITING: Final = "select exists (select from registrations where workspace = $1 and job = $2 and status = 'waiting')"
_DROP: Final = (
    "update registrations set status = 'failed', detail = $3 where workspace = $1 and job = $2 and status = 'waiting'"
)
_REGISTERED: Final = """
select output, plan, version from registrations where workspace = $1 and job = $2 and status = 'registered' order by output
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """An output to be registered. `attempts` counts this one."""

    workspace: str
    job: str
    plan: AssetPlan
    attempts: int


async def insert_registrations(tx: Connection, job: Job) -> None:
    """Ask for every named output of the job to be registered."""
    for plan in job.plan.assets:
        await tx.execute(_INSERT, job.workspace, job.name, plan.output, _PLAN.dump_python(plan, mode="json"))


async def claim_registration(tx: Connection) -> Registration | None:
    """Take one for fifteen seconds, or None. A second worker that takes it later registers nothing twice: the key is the same."""
    row = await tx.fetchrow(_CLAIM)
    if row is None:
        return None
    return Registration(
        workspace=row["workspace"], job=row["job"], plan=_PLAN.validate_python(row["plan"]), attempts=row["attempts"]
    )


async def release_registration(tx: Connection, task: Registration, delay_s: float, detail: str) -> None:
    """Give it back, to be tried again after a delay."""
    await tx.execute(_RELEASE, task.workspace, task.job, task.plan.output, delay_s, detail)


async def mark_registered(tx: Connection, task: Registration, version: str) -> None:
    """It is a version now."""
    await tx.execute(_MARK, task.workspace, task.job, task.plan.output, "registered", version, None)


async def mark_failed(tx: Connection, task: Registration, detail: str) -> None:
    """It will never be one."""
    await tx.execute(_MARK, task.workspace, task.job, task.plan.output, "failed", None, detail)


async def drop_waiting(tx: Connection, job: Job, detail: str) -> None:
    """The job has ended otherwise: what is not registered yet will not be."""
    await tx.execute(_DROP, job.workspace, job.name, detail)


async def any_waiting(tx: Connection, job: Job) -> bool:
    """Whether the job's end has to wait."""
    return bool(await tx.fetchval(_WAITING, job.workspace, job.name))


async def list_registered(tx: Connection, job: Job) -> dict[str, str]:
    """What became of named outputs: `models/flight-delay/versions/3` by output."""
    return {
        row[
            "output"
        ]: f"{(plan := _PLAN.validate_python(row['plan'])).collection}/{plan.name}/versions/{row['version']}"
        for row in await tx.fetch(_REGISTERED, job.workspace, job.name)
    }
