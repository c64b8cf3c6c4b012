"""How a job goes on: what its steps' reports change, what is queued, reused or canceled then, and how it ends.

Every change happens under the lock of the job's row, so two reports about one job wait for each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter, Histogram

from modelyard_contracts import EventData
from modelyard_contracts.scheduler import (
    JobCanceled,
    JobCompleted,
    JobFailed,
    JobStarted,
    StepCanceled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepStarted,
)
from modelyard_contracts.work import StepResult, StepStart
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from scheduler.domain import plans
from scheduler.domain import steps as machine
from scheduler.domain.jobs import Job, JobStep, StepOutcome
from scheduler.domain.steps import JOB_ENDED, Step
from scheduler.errors import JobEndedError
from scheduler.store import jobs, registrations, steps
from scheduler.usecases import SOURCE

JOBS: Final = Counter("modelyard_scheduler_jobs_ended_total", "Jobs that ended", ("kind", "status"))
STEPS: Final = Counter("modelyard_scheduler_steps_ended_total", "Steps that ended", ("status",))
WAITED: Final = Histogram(
    "modelyard_scheduler_step_queue_seconds",
    "From queued to started",
    buckets=(0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 3600),
)


async def step_started(pool: Pool, id_: UUID, attempt: int, report: StepStart) -> None:
    """The runner has begun an attempt. Raises StepNotFoundError, StaleAttemptError."""
    async with transaction(pool) as tx:
        job, step = await _lock(tx, id_)
        state = machine.start(step.state, attempt)
        await steps.set_node(tx, step, report.node)
        if state == step.state:
            return
        await steps.save_state(tx, step, state)
        await _running(tx, job)
        await _emit(tx, StepStarted(**_about_step(job, step, attempt), node=report.node), job.cause)
        now = await steps.require_step(tx, id_)
        if now.queued_at and now.started_at:
            WAITED.observe((now.started_at - now.queued_at).total_seconds())


async def step_finished(pool: Pool, id_: UUID, attempt: int, result: StepResult) -> None:
    """The runner has ended an attempt; the job goes on. Raises StepNotFoundError, StaleAttemptError."""
    async with transaction(pool) as tx:
        job, step = await _lock(tx, id_)
        missing = [name for name in step.plan.outputs if name not in result.outputs]
        if result.status == "completed" and missing:
            result = result.model_copy(
                update={"status": "failed", "reason": f"the runner brought no output {', '.join(missing)}"}
            )
        state = machine.finish(step.state, attempt, result)
        if state == step.state:
            return
        await steps.save_state(tx, step, state)
        outcome = StepOutcome(
            exit_code=result.exit_code,
            log=result.log,
            log_tail=result.log_tail,
            node=result.node or step.node or "",
            seconds=result.seconds,
            peak_rss_bytes=result.peak_rss_bytes,
        )
        await steps.set_outcome(tx, step, outcome)
        await _running(tx, job)
        await _tell_end(tx, job, step, state, result, attempt)
        await advance(tx, job)


async def _tell_end(tx: Connection, job: Job, step: JobStep, state: Step, result: StepResult, attempt: int) -> None:
    if state.status == "completed":
        done = StepCompleted(**_about_step(job, step, attempt), seconds=result.seconds, outputs=dict(state.outputs))
        event_id = await _emit(tx, done, job.cause)
    else:
        failed = StepFailed(
            **_about_step(job, step, attempt), detail=state.detail or "", exit_code=result.exit_code,
            log_tail=result.log_tail, refused=result.refused,
        )  # fmt: skip
        event_id = await _emit(tx, failed, job.cause)
    await steps.set_ended_event(tx, step, event_id)
    STEPS.labels(state.status).inc()


async def refuse_step(tx: Connection, job: Job, step: JobStep, detail: str) -> None:
    """A step that cannot be prepared has failed. Call `advance` afterwards."""
    state = machine.refuse(step.state, detail)
    await steps.save_state(tx, step, state)
    await _emit(tx, StepFailed(**_about_step(job, step), detail=detail), job.cause)
    STEPS.labels("failed").inc()


async def cancel_job(pool: Pool, cause: Cause, name: str) -> None:
    """Stop a job. Canceling it again changes nothing. Raises JobNotFoundError, JobEndedError for one that ended by itself."""
    async with transaction(pool) as tx:
        job = await jobs.lock_job(tx, cause.workspace, name)
        if job.status == "canceled":
            return
        if job.status in JOB_ENDED:
            raise JobEndedError(name, job.status)
        detail = f"canceled by {cause.actor}"
        why = replace(
            cause, correlation_id=job.cause.correlation_id, causation_id=cause.causation_id or job.cause.causation_id
        )
        for step in await steps.list_steps(tx, job):
            await _cancel(tx, job, step, detail, why)
        await registrations.drop_waiting(tx, job, detail)
        await jobs.mark_ended(tx, job, "canceled", detail=detail)
        await _emit(tx, JobCanceled(**_about(job)), why)
        JOBS.labels(job.plan.kind, "canceled").inc()


async def advance(tx: Connection, job: Job) -> None:
    """Do whatever the states of the job's steps call for. The job's row must be locked."""
    while job.status not in JOB_ENDED and job.status != "finalizing":
        known = {step.name: step for step in await steps.list_steps(tx, job)}
        move = machine.progress(
            [step.state for step in known.values()], continue_on_failure=job.plan.continue_on_failure
        )
        for name, reason in move.cancel.items():
            await _cancel(tx, job, known[name], reason, job.cause)
        if move.ended == "completed":
            await _finalise(tx, job)
            return
        if move.ended == "failed":
            culprit = move.culprit
            assert culprit is not None
            await fail_job(tx, job, f"step {culprit.name!r} {culprit.status}: {culprit.detail}", known[culprit.name])
            return
        reused = [await _plan(tx, job, known[name], known) for name in move.ready if not known[name].preparing]
        if not any(reused):
            return


async def _plan(tx: Connection, job: Job, step: JobStep, known: dict[str, JobStep]) -> bool:
    """Reuse the outputs of the same work (True), or queue the step. Only pipelines reuse, as in the original: who submits
    a command job wants it run."""
    inputs = plans.gather(step.plan, {name: other.state.outputs for name, other in known.items()})
    key = plans.cache_key(step.plan, step.lock, inputs)
    hit = None
    if job.plan.kind == "pipeline" and step.plan.deterministic and not job.plan.force_rerun:
        hit = await steps.find_completed(tx, job.workspace, key)
    if hit is None:
        await steps.set_prepared(tx, step, key, inputs)
        await steps.save_state(tx, step, machine.enqueue(step.state))
        await jobs.ring(tx, "orders")
        return False
    source, outputs = hit
    await steps.set_prepared(tx, step, key, inputs, source)
    await steps.save_state(tx, step, machine.reuse(step.state, outputs))
    await _running(tx, job)
    event_id = await _emit(tx, StepReused(**_about_step(job, step), source=source, outputs=outputs), job.cause)
    await steps.set_ended_event(tx, step, event_id)
    STEPS.labels("reused").inc()
    return True


async def _finalise(tx: Connection, job: Job) -> None:
    if not job.plan.assets:
        await complete_job(tx, job)
        return
    await registrations.insert_registrations(tx, job)
    await jobs.mark_finalizing(tx, job)
    await jobs.ring(tx, "registrations")


async def complete_job(tx: Connection, job: Job) -> None:
    """All steps are done and all named outputs registered."""
    by_name = {step.name: step for step in await steps.list_steps(tx, job)}
    outputs = {name: by_name[plan.step].state.outputs[plan.output] for name, plan in job.plan.outputs.items()}
    seconds = await jobs.mark_ended(tx, job, "completed", outputs=outputs)
    properties = {key: str(value) for key, value in job.properties.items()}
    registered = await registrations.list_registered(tx, job)
    completed = JobCompleted(
        **_about(job), seconds=seconds, outputs=outputs, properties=properties, registered=registered
    )
    await _emit(tx, completed, job.cause)
    JOBS.labels(job.plan.kind, "completed").inc()


async def fail_job(tx: Connection, job: Job, detail: str, step: JobStep | None = None) -> None:
    """The job has failed; `step` is the one that is to blame."""
    name, tail = (step.name, step.log_tail) if step else (None, "")
    await jobs.mark_ended(tx, job, "failed", detail=detail, step=name)
    await _emit(tx, JobFailed(**_about(job), detail=detail, step=name, log_tail=tail), job.cause)
    JOBS.labels(job.plan.kind, "failed").inc()


async def _cancel(tx: Connection, job: Job, step: JobStep, reason: str, cause: Cause) -> None:
    state = machine.cancel(step.state, reason)
    if state != step.state:
        await steps.save_state(tx, step, state)
        await jobs.ring(tx, "recalls")
        await _emit(tx, StepCanceled(**_about_step(job, step, state.attempt or 1), detail=reason), cause)
        STEPS.labels("canceled").inc()


async def _running(tx: Connection, job: Job) -> None:
    if await jobs.mark_running(tx, job):
        await _emit(tx, JobStarted(**_about(job)), job.cause)


async def _lock(tx: Connection, id_: UUID) -> tuple[Job, JobStep]:
    workspace, name = await steps.require_job_of(tx, id_)
    job = await jobs.lock_job(tx, workspace, name)
    return job, await steps.require_step(tx, id_)


def _about(job: Job) -> dict[str, Any]:
    return {"job": job.name, "kind": job.plan.kind, "display_name": job.display_name, "experiment": job.experiment}


def _about_step(job: Job, step: JobStep, attempt: int = 1) -> dict[str, Any]:
    title = job.display_name or job.experiment
    return {"job": job.name, "step": step.name, "attempt": attempt, "title": title, "environment": step.lock}


async def _emit(tx: Connection, data: EventData, cause: Cause) -> UUID:
    return (await outbox.add(tx, SOURCE, data, cause)).id
