"""What steps have written: live from the LOGS stream, afterwards from the kept blobs."""

from __future__ import annotations

import asyncio
import codecs
import json
from collections.abc import AsyncIterator
from typing import Final

from modelyard_platform.database import Pool, transaction
from modelyard_platform.objects import ObjectStore
from scheduler.clients.logs import Chunk, LogStream
from scheduler.domain.jobs import Job, JobStep
from scheduler.domain.steps import JOB_ENDED
from scheduler.errors import StepNotFoundError
from scheduler.store import jobs, steps

_POLL_S: Final = 0.2
_KEEP_ALIVE_S: Final = 15.0
_MAX_TEXT_CHUNKS: Final = 20_000


async def find_steps(pool: Pool, workspace: str, name: str, step: str | None) -> tuple[Job, list[JobStep]]:
    """The job and its steps, or the one of this name. Raises JobNotFoundError, StepNotFoundError."""
    async with transaction(pool) as tx:
        job = await jobs.require_job(tx, workspace, name)
        found = await steps.list_steps(tx, job)
    if step is None:
        return job, found
    wanted = [one for one in found if one.name == step]
    if not wanted:
        raise StepNotFoundError(step, [one.name for one in found])
    return job, wanted


async def text(store: ObjectStore, stream: LogStream, job: Job, of: list[JobStep]) -> AsyncIterator[bytes]:
    """Everything written so far, step after step; with more than one, each under its name."""
    for step in of:
        if step.state.status in ("waiting", "reused") and step.log is None:
            continue
        if len(of) > 1:
            yield f"==> {step.name} <==\n".encode()
        if step.log is not None:
            async for part in store.stream(step.log):
                yield part
            continue
        position = 0
        for _ in range(_MAX_TEXT_CHUNKS):
            chunk = await stream.next(job.workspace, job.name, step.name, position)
            if chunk is None:
                break
            position = chunk.sequence
            yield chunk.text.encode()


async def follow(
    pool: Pool, store: ObjectStore, stream: LogStream, job: Job, of: list[JobStep], step: str | None
) -> AsyncIterator[str]:
    """Server-sent events: `log` for each chunk from the start, then `end` with the job's status when all has been sent.

    A job that has ended is read from its kept logs, so that it can be streamed long after LOGS has forgotten it.
    """
    if job.status in JOB_ENDED:
        for one in of:
            if one.log is not None:
                decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
                async for part in store.stream(one.log):
                    yield _log(Chunk(0, one.name, one.state.attempt, "stdout", decoder.decode(part)))
        yield _event("end", {"job": job.name, "status": job.status, "detail": job.detail})
        return
    loop = asyncio.get_running_loop()
    position, spoke = 0, loop.time()
    while True:
        # Looked at before the stream: whatever was written before the end was reported is on the stream by then.
        async with transaction(pool) as tx:
            job = await jobs.require_job(tx, job.workspace, job.name)
        while (chunk := await stream.next(job.workspace, job.name, step, position)) is not None:
            position, spoke = chunk.sequence, loop.time()
            yield _log(chunk)
        if job.status in JOB_ENDED:
            yield _event("end", {"job": job.name, "status": job.status, "detail": job.detail})
            return
        if loop.time() - spoke > _KEEP_ALIVE_S:
            spoke = loop.time()
            yield ": still there\n\n"
        await asyncio.sleep(_POLL_S)


def _log(chunk: Chunk) -> str:
    data = {"step": chunk.step, "attempt": chunk.attempt, "stream": chunk.stream, "text": chunk.text}
    return _event("log", data)


def _event(name: str, data: dict[str, object]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"
