"""Looking at jobs: lists, one with its steps, outputs."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final, Literal

from modelyard_platform import trees
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.objects import ObjectStore
from scheduler.domain.jobs import Job, JobStep
from scheduler.domain.steps import DONE, JobStatus
from scheduler.errors import OutputNotFoundError
from scheduler.store import jobs, registrations, steps

NEWEST: Final = 2**63 - 1
"""The cursor before the first page."""


def iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def describe_step(step: JobStep) -> dict[str, Any]:
    """A step as the API answers it."""
    return {
        "id": step.id.hex,
        "name": step.name,
        "display_name": step.plan.display_name,
        "status": step.state.status,
        "attempt": step.state.attempt,
        "needs": list(step.state.needs),
        "command": step.plan.command,
        "code": step.plan.code,
        "environment": step.lock,
        "cache_key": step.cache_key,
        "source": step.source,
        "inputs": step.inputs,
        "outputs": dict(step.state.outputs),
        "detail": step.state.detail,
        "exit_code": step.exit_code,
        "log": step.log,
        "log_tail": step.log_tail,
        "node": step.node,
        "seconds": step.seconds,
        "peak_rss_bytes": step.peak_rss_bytes,
        "created_at": iso(step.created_at),
        "queued_at": iso(step.queued_at),
        "started_at": iso(step.started_at),
        "ended_at": iso(step.ended_at),
    }


def _summary(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "type": job.plan.kind,
        "status": job.status,
        "display_name": job.display_name,
        "experiment_name": job.experiment,
        "description": job.description,
        "tags": job.tags,
        "properties": job.properties,
        "git": job.git,
        "inputs": job.inputs,
        "trigger": job.trigger,
        "detail": job.detail,
        "failed_step": job.failed_step,
        "correlation_id": job.cause.correlation_id,
        "created_by": job.created_by,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "ended_at": iso(job.ended_at),
        "archived": job.archived,
    }


async def describe_job(tx: Connection, workspace: str, name: str) -> dict[str, Any]:
    """One job with its steps, its outputs as far as they exist, and what became of those that have a name. Raises JobNotFoundError."""
    job = await jobs.require_job(tx, workspace, name)
    found = await steps.list_steps(tx, job)
    by_name = {step.name: step for step in found}
    outputs = {
        output: {"type": plan.type, "tree": by_name[plan.step].state.outputs.get(plan.output)}
        for output, plan in job.plan.outputs.items()
    }
    return _summary(job) | {
        "code": next((step.plan.code for step in found if step.plan.code), None),
        "outputs": outputs,
        "registered": await registrations.list_registered(tx, job),
        "steps": [describe_step(step) for step in found],
    }


async def get_job(pool: Pool, workspace: str, name: str) -> dict[str, Any]:
    """Raises JobNotFoundError."""
    async with transaction(pool) as tx:
        return await describe_job(tx, workspace, name) | {"spec": await jobs.require_spec(tx, workspace, name)}


async def list_steps(pool: Pool, workspace: str, name: str) -> list[dict[str, Any]]:
    """Raises JobNotFoundError."""
    async with transaction(pool) as tx:
        job = await jobs.require_job(tx, workspace, name)
        return [describe_step(step) for step in await steps.list_steps(tx, job)]


async def list_jobs(
    pool: Pool, workspace: str, *, before: int, status: JobStatus | None, kind: str | None, experiment: str | None,
    trigger: str | None, archived: Literal["false", "true", "only"] = "false", limit: int,
) -> tuple[list[dict[str, Any]], str | None]:  # fmt: skip
    """A page of jobs, newest first, and the cursor of the next page. `archived`: `true` gives those too, `only` gives no others."""
    async with transaction(pool) as tx:
        found = await jobs.list_jobs(
            tx,
            workspace,
            before=before,
            status=status,
            kind=kind,
            experiment=experiment,
            trigger=trigger,
            archived={"false": (False,), "true": (False, True), "only": (True,)}[archived],
            limit=limit + 1,
        )
    page = found[:limit]
    return [_summary(job) for job in page], str(page[-1].position) if len(found) > limit else None


async def find_output(tx: Connection, workspace: str, name: str, output: str) -> str:
    """The tree of a job's output, or of a step's as `step.output`. Raises JobNotFoundError, OutputNotFoundError."""
    job = await jobs.require_job(tx, workspace, name)
    by_step = {step.name: step.state.outputs for step in await steps.list_steps(tx, job) if step.state.status in DONE}
    there = {
        label: by_step[plan.step][plan.output]
        for label, plan in job.plan.outputs.items()
        if plan.output in by_step.get(plan.step, {})
    }
    of_steps = {f"{step}.{label}": tree for step, outputs in by_step.items() for label, tree in outputs.items()}
    if (tree := (of_steps | there).get(output)) is None:
        raise OutputNotFoundError(name, output, job.status, sorted(there) or sorted(of_steps))
    return tree


async def read_output(pool: Pool, store: ObjectStore, workspace: str, name: str, output: str) -> dict[str, Any]:
    """An output's tree and files."""
    async with transaction(pool) as tx:
        digest = await find_output(tx, workspace, name, output)
    tree = await asyncio.to_thread(trees.load, store, digest)
    return {"tree": digest, "size": tree.size, "files": [file.model_dump() for file in tree.files]}
