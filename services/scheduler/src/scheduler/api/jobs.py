"""Routes of jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from modelyard_platform.http import Contributor, Reader
from scheduler.api.parts import Limit, Wired, read_cursor
from scheduler.domain.jobs import JobChange
from scheduler.domain.steps import JobStatus
from scheduler.schemas import Items, JobSubmission, JobUpdate, OutputTree, Page
from scheduler.usecases import advancing, describing, logs, reading
from scheduler.usecases.submitting import Submission, submit_job

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]


@router.post("", status_code=201, operation_id="submit_job")
async def submit(body: JobSubmission, parts: Wired, caller: Contributor, key: IdempotencyKey = None) -> dict[str, Any]:
    """Submit a command job or a pipeline."""
    submission = Submission(spec=body.spec, git=body.git.model_dump() if body.git else None, name=body.name)
    return await submit_job(parts.pool, parts.registry, caller.cause, submission, key)


@router.get("", response_model=Page, operation_id="list_jobs")
async def list_jobs(
    parts: Wired,
    caller: Reader,
    status: JobStatus | None = None,
    kind: Annotated[Literal["command", "pipeline"] | None, Query(alias="type")] = None,
    experiment: str | None = None,
    trigger: str | None = None,
    archived: Annotated[
        Literal["false", "true", "only"], Query(description="archived ones too, or no others")
    ] = "false",
    cursor: str | None = None,
    limit: Limit = 100,
) -> Any:
    """Jobs, newest first."""
    items, following = await reading.list_jobs(
        parts.pool, caller.cause.workspace, before=read_cursor(cursor), status=status, kind=kind, experiment=experiment,
        trigger=trigger, archived=archived, limit=limit,
    )  # fmt: skip
    return {"items": items, "next": following}


@router.get("/{name}", operation_id="get_job")
async def get(name: str, parts: Wired, caller: Reader) -> dict[str, Any]:
    """One job with its steps, outputs and resolved specification."""
    return await reading.get_job(parts.pool, caller.cause.workspace, name)


@router.patch("/{name}", operation_id="update_job")
async def update(name: str, body: JobUpdate, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Change what is said of a job: display name, experiment, description, tags; or archive it, or bring it back."""
    return await describing.update_job(parts.pool, caller.cause, name, JobChange(**body.model_dump()))


@router.get("/{name}/steps", response_model=Items, operation_id="list_steps")
async def list_steps(name: str, parts: Wired, caller: Reader) -> Any:
    """A job's steps in the order of its specification."""
    return {"items": await reading.list_steps(parts.pool, caller.cause.workspace, name)}


@router.post("/{name}/cancel", operation_id="cancel_job")
async def cancel(name: str, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Stop a job: nothing more of it is begun, and what runs is ended."""
    await advancing.cancel_job(parts.pool, caller.cause, name)
    return await reading.get_job(parts.pool, caller.cause.workspace, name)


@router.get("/{name}/outputs/{output}", response_model=OutputTree, operation_id="get_job_output")
async def get_output(name: str, output: str, parts: Wired, caller: Reader) -> Any:
    """An output's files; each is a blob. `step.output` names the output of one step."""
    return await reading.read_output(parts.pool, parts.store, caller.cause.workspace, name, output)


@router.get("/{name}/logs", operation_id="get_job_logs", response_class=StreamingResponse)
async def get_logs(
    name: str, parts: Wired, caller: Reader, step: str | None = None, *, follow: bool = False
) -> StreamingResponse:
    """What the steps have written: text, or with `follow` server-sent events `log` and, when the job has ended, `end`."""
    job, found = await logs.find_steps(parts.pool, caller.cause.workspace, name, step)
    if follow:
        events = logs.follow(parts.pool, parts.store, parts.logs, job, found, step)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
    return StreamingResponse(logs.text(parts.store, parts.logs, job, found), media_type="text/plain; charset=utf-8")
