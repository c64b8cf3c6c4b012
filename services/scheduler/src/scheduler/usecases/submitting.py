"""Submitting a job: validate, resolve, compile; then its rows and `job.submitted` in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from modelyard_contracts import Event
from modelyard_contracts.scheduler import JobSubmitted
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.changes import masked
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.specs import spec_error
from modelyard_specs import SpecError, load_mapping, require_submittable
from modelyard_specs.kinds.jobs import CommandJob, PipelineJob
from scheduler.clients.neighbours import Registry
from scheduler.domain import compiling, names
from scheduler.domain.jobs import NewJob
from scheduler.domain.plans import with_signatures
from scheduler.store import experiments, jobs, steps
from scheduler.usecases import SOURCE, advancing, reading
from scheduler.usecases.resolving import Resolver


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """What somebody wants run. A `name` outside the specification goes over the one in it; none at all asks for a new one."""

    spec: dict[str, Any]
    git: dict[str, Any] | None = None
    name: str | None = None
    trigger: str | None = None

    def request(self) -> dict[str, Any]:
        """What an idempotency key stands for."""
        return {"spec": self.spec, "git": self.git, "name": self.name}


async def submit_job(
    pool: Pool, registry: Registry, cause: Cause, submission: Submission, key: str | None
) -> dict[str, Any]:
    """Submit a job and answer it as it stands.

    Raises InvalidError with every finding, NotFoundError for a missing reference, JobExistsError.
    """
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, submission.request())) is not None:
            return done
    new = await prepare_job(pool, registry, cause.workspace, submission)
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, submission.request())) is not None:
            return done
        await insert_job(tx, cause, new)
        answer = await reading.describe_job(tx, cause.workspace, new.name)
        await idempotency.remember(tx, cause, key, submission.request(), answer)
        return answer


async def prepare_job(pool: Pool, registry: Registry, workspace: str, submission: Submission) -> NewJob:
    """Everything about a submission that needs no transaction: it is valid, its references exist, it compiles."""
    try:
        document = load_mapping(submission.spec, group="job")
        require_submittable(document)
        written = cast("CommandJob | PipelineJob", document.model)
        name = names.check(submission.name or written.name or names.generate())
        resolved = await Resolver(pool, registry, workspace).resolve(document.spec())
        # Once more: registered components have come in, and with them inputs that were not to be seen before.
        document = load_mapping(resolved.spec, group="job")
        require_submittable(document)
        model = cast("CommandJob | PipelineJob", document.model)
        plan = with_signatures(compiling.compile_job(model, name, resolved.external), resolved.signed)
    except SpecError as error:
        raise spec_error(error) from error
    return NewJob(
        name=name,
        plan=plan,
        spec=resolved.spec,
        git=submission.git,
        inputs=resolved.inputs,
        uses=resolved.uses,
        display_name=model.display_name,
        experiment=model.experiment_name,
        description=model.description,
        tags=dict(model.tags),
        properties=dict(model.properties),
        trigger=submission.trigger,
    )


async def insert_job(tx: Connection, cause: Cause, new: NewJob) -> Event[Any]:
    """The job, its steps and `job.submitted`; steps that wait for nothing are queued at once. Raises JobExistsError."""
    await experiments.ensure_experiment(tx, cause.workspace, new.experiment, cause.actor)
    await jobs.insert_job(tx, cause, new)
    await steps.insert_steps(tx, cause.workspace, new.name, new.plan.steps)
    git = new.git or {}
    submitted = await outbox.add(
        tx,
        SOURCE,
        JobSubmitted(
            job=new.name,
            kind=new.plan.kind,
            display_name=new.display_name,
            experiment=new.experiment,
            trigger=new.trigger,
            repository=masked(git.get("repository")),
            branch=git.get("branch"),
            commit=git.get("commit"),
            dirty=bool(git.get("dirty")),
            code=sorted({step.code for step in new.plan.steps if step.code}),
            inputs=masked(new.inputs),
            uses=sorted(new.uses),
        ),
        cause,
    )
    follows = replace(cause, actor=f"job:{new.name}", reason=None, causation_id=str(submitted.id))
    await jobs.set_cause(tx, cause.workspace, new.name, follows)
    await jobs.ring(tx, "environments")
    await advancing.advance(tx, await jobs.lock_job(tx, cause.workspace, new.name))
    return submitted
