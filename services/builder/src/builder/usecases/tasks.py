"""Working off tasks: one at a time of each kind, held by a lease that is renewed while the work goes on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeAlias, assert_never

import asyncpg

from builder import store
from builder.domain.tasks import Done, Failed, Outcome, Skipped, Task, TaskKind, delay_s
from modelyard_contracts import EventData
from modelyard_platform import outbox, telemetry
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import PlatformError

log = logging.getLogger(__name__)

SOURCE: Final = "builder"
_IDLE_S: Final = 0.5
_LEASE_S: Final = 30.0
_RENEW_EVERY_S: Final = 8.0

Do: TypeAlias = Callable[[Task], Awaitable[Outcome]]
Tell: TypeAlias = Callable[[Task, Outcome], EventData | None]


async def work(pool: Pool, kind: TaskKind, do: Do, tell: Tell, *, first_delay_s: float) -> None:
    """Do what is due until cancelled.

    `do` raises an error of kind `unavailable` for what may work later: it is tried again, a few times.
    """
    while True:
        try:
            busy = await do_next(pool, kind, do, tell, first_delay_s=first_delay_s)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("work waits for the database", extra={"kind": kind, "error": repr(error)})
            busy = False
        if not busy:
            await asyncio.sleep(_IDLE_S)


async def do_next(pool: Pool, kind: TaskKind, do: Do, tell: Tell, *, first_delay_s: float) -> bool:
    """Do the longest due task; False when none is due."""
    async with transaction(pool) as tx:
        task = await store.claim_task(tx, kind, _LEASE_S)
    if task is None:
        return False
    again_s = delay_s(task.attempts, first_delay_s)
    with telemetry.span(f"{kind} {task.name}:{task.version}", parent=task.cause.traceparent):
        try:
            async with _leased(pool, task):
                outcome = await do(task)
        except PlatformError as error:
            if error.kind != "unavailable" or again_s is None:
                outcome = Failed(error.detail, error.members.get("refused"))
            else:
                return await _try_again(pool, task, error.detail, again_s)
        except Exception as error:
            log.exception("a task failed in an unforeseen way", extra={"task": f"{kind} {task.name}:{task.version}"})
            detail = f"an unforeseen {type(error).__name__}; the builder's log has it"
            if again_s is not None:
                return await _try_again(pool, task, detail, again_s)
            outcome = Failed(detail)
    await _settle(pool, task, outcome, tell(task, outcome))
    return True


async def _try_again(pool: Pool, task: Task, detail: str, after_s: float) -> bool:
    async with transaction(pool) as tx:
        await store.mark_due_again(tx, task, detail, after_s)
    return True


async def _settle(pool: Pool, task: Task, outcome: Outcome, event: EventData | None) -> None:
    async with transaction(pool) as tx:
        match outcome:
            case Done(result=result):
                mine = await store.finish_task(tx, task, "done", None, result)
            case Failed(detail=detail):
                mine = await store.finish_task(tx, task, "failed", detail, {})
            case Skipped(detail=detail):
                mine = await store.finish_task(tx, task, "skipped", detail, {})
            case _:
                assert_never(outcome)
        if mine and event is not None:
            await outbox.add(tx, SOURCE, event, task.cause)


@asynccontextmanager
async def _leased(pool: Pool, task: Task) -> AsyncIterator[None]:
    """Renews the lease meanwhile: a process that dies lets go of its task within half a minute."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            try:
                async with transaction(pool) as tx:
                    await store.renew_lease(tx, task, _LEASE_S)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("a lease was not renewed", extra={"error": repr(error)})

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing


async def list_conversions(
    pool: Pool, workspace: str, *, model: str | None, version: str | None, limit: int
) -> list[dict[str, Any]]:
    """What became of models, newest first."""
    async with transaction(pool) as tx:
        found = await store.list_tasks(tx, "conversion", workspace, name=model, version=version, limit=limit)
    return [_conversion(task) for task in found]


def _conversion(task: Task) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("tree", "max_abs_difference", "label_agreement", "rows", "opset", "signature", "environment")
    )
    return {
        "model": task.name,
        "version": task.version,
        "status": "converted" if task.status == "done" else task.status,
        "detail": task.detail,
        "attempts": task.attempts,
        "created_at": task.created_at,
        "finished_at": task.finished_at,
    } | empty | task.result  # fmt: skip
