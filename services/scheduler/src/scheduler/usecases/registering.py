"""Named outputs become assets, each exactly once, before the job completes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import PurePosixPath
from typing import Any, Final

from modelyard_platform import trees
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import PlatformError, message_fate
from modelyard_platform.objects import ObjectStore
from scheduler.clients.neighbours import Registry
from scheduler.domain.jobs import JobStep
from scheduler.domain.plans import MODEL_TYPES
from scheduler.store import jobs, registrations, steps
from scheduler.store.registrations import Registration
from scheduler.usecases import advancing
from scheduler.usecases.preparing import delay_s

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 60
_SAMPLE: Final = "sample"
_TABULAR: Final = frozenset((".csv", ".parquet", ".jsonl", ".ndjson"))


async def register_next(pool: Pool, store: ObjectStore, registry: Registry) -> bool:
    """Register one output; False when none waits."""
    async with transaction(pool) as tx:
        task = await registrations.claim_registration(tx)
        if task is None:
            return False
        job = await jobs.require_job(tx, task.workspace, task.job)
        step = {step.name: step for step in await steps.list_steps(tx, job)}[task.plan.step]
    caused = job.cause.because_of(str(step.ended_event)) if step.ended_event else job.cause
    try:
        body = await _body(store, task, step)
        key = f"job:{task.job}:output:{task.plan.output}"
        made = await registry.register(task.plan.collection, body, caused, key)
    except PlatformError as error:
        await _failed(pool, task, error)
        return True
    async with transaction(pool) as tx:
        job = await jobs.lock_job(tx, task.workspace, task.job)
        await registrations.mark_registered(tx, task, str(made["version"]))
        if job.status == "finalizing" and not await registrations.any_waiting(tx, job):
            await advancing.complete_job(tx, job)
    return True


async def _failed(pool: Pool, task: Registration, error: PlatformError) -> None:
    asset = f"{task.plan.name}:{task.plan.version}" if task.plan.version else task.plan.name
    detail = f"output {task.plan.output!r} could not be registered as {task.plan.collection} {asset}: {error.detail}"
    # A version that exists will go on existing: a conflict here is no matter of waiting.
    hopeless = message_fate(error.kind) == "dead_letter" or error.kind == "conflict" or task.attempts >= MAX_ATTEMPTS
    log.warning("an output could not be registered", extra={"job": task.job, "error": detail, "given_up": hopeless})
    async with transaction(pool) as tx:
        job = await jobs.lock_job(tx, task.workspace, task.job)
        if not hopeless:
            await registrations.release_registration(tx, task, delay_s(task.attempts), detail)
            return
        await registrations.mark_failed(tx, task, detail)
        if job.status == "finalizing":
            await registrations.drop_waiting(tx, job, "another output of the job could not be registered")
            await advancing.fail_job(tx, job, detail)


async def _body(store: ObjectStore, task: Registration, step: JobStep) -> dict[str, Any]:
    plan = task.plan
    spec: dict[str, Any] = {
        "name": plan.name,
        "type": plan.type,
        "path": f"{trees.SCHEME}{step.state.outputs[plan.step_output]}",
        "tags": plan.tags,
    }
    if plan.version is not None:
        spec["version"] = plan.version
    if plan.description is not None:
        spec["description"] = plan.description
    sample = await _sample(store, step) if plan.collection == "models" else None
    return {"spec": spec, "job": task.job, "environment": step.lock, "sample": sample}


async def _sample(store: ObjectStore, step: JobStep) -> str | None:
    """A table of the step's inputs, to try a model on: the one named `sample`, else the first with a tabular file."""
    given = {
        name: one["tree"] for name, one in step.inputs.items() if one.get("tree") and one["type"] not in MODEL_TYPES
    }
    if _SAMPLE in given:
        return str(given[_SAMPLE])
    for digest in given.values():
        tree = await asyncio.to_thread(trees.load, store, digest)
        if any(PurePosixPath(file.path).suffix.lower() in _TABULAR for file in tree.files):
            return str(digest)
    return None
