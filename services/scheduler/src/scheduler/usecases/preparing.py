"""Environments: the builder locks each distinct one of a job, while steps that need none are under way."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import PlatformError, message_fate
from scheduler.clients.neighbours import Builder, Lock
from scheduler.domain.jobs import Job
from scheduler.domain.steps import JOB_ENDED
from scheduler.store import jobs, steps
from scheduler.store.steps import EnvironmentTask
from scheduler.usecases import advancing

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 30
_RENEW_S: Final = 5.0
_DELAYS_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


def delay_s(attempts: int) -> float:
    """How long to wait after the nth attempt."""
    return _DELAYS_S[min(attempts, len(_DELAYS_S)) - 1]


async def lock_next(pool: Pool, builder: Builder) -> bool:
    """Have one environment locked; False when none waits."""
    async with transaction(pool) as tx:
        task = await steps.claim_environment(tx)
        if task is None:
            return False
        job = await jobs.require_job(tx, task.workspace, task.job)
        if job.status in JOB_ENDED:
            await steps.delete_environment(tx, task)
            return True
    try:
        digest = await _lock(pool, builder, task, job)
    except PlatformError as error:
        if message_fate(error.kind) == "retry" and task.attempts < MAX_ATTEMPTS:
            log.warning("the builder could not lock an environment", extra={"job": task.job, "error": error.detail})
            async with transaction(pool) as tx:
                await steps.release_environment(tx, task, delay_s(task.attempts))
        else:
            await _refuse(pool, task, error.detail)
        return True
    async with transaction(pool) as tx:
        job = await jobs.lock_job(tx, task.workspace, task.job)
        await steps.set_lock(tx, task, digest)
        await steps.delete_environment(tx, task)
        await advancing.advance(tx, job)
    return True


async def _lock(pool: Pool, builder: Builder, task: EnvironmentTask, job: Job) -> Lock:
    """Ask the builder, and keep the task for as long as it takes: a lease that is short is taken over soon when this process dies."""
    asked = asyncio.create_task(builder.lock(task.spec, job.cause, f"job:{task.job}:environment:{task.key}"))
    try:
        while not (await asyncio.wait({asked}, timeout=_RENEW_S))[0]:
            async with transaction(pool) as tx:
                await steps.renew_environment(tx, task)
        return asked.result()
    finally:
        asked.cancel()


async def _refuse(pool: Pool, task: EnvironmentTask, detail: str) -> None:
    """The environment cannot be made: the steps that need it fail."""
    async with transaction(pool) as tx:
        job = await jobs.lock_job(tx, task.workspace, task.job)
        await steps.delete_environment(tx, task)
        for step in await steps.list_steps(tx, job):
            if step.environment_key == task.key and step.state.status == "waiting":
                await advancing.refuse_step(tx, job, step, f"the environment cannot be made: {detail}")
        await advancing.advance(tx, job)
