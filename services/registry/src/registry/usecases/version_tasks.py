"""Working off what is to be done about versions, in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import UnavailableError
from registry.store import version_tasks
from registry.store.version_tasks import TaskKind, VersionTask

log = logging.getLogger(__name__)

Finish: TypeAlias = Callable[[Connection], Awaitable[None]]
Do: TypeAlias = Callable[[VersionTask], Awaitable[Finish]]
"""Does the slow part, outside of any transaction, and answers with what is to be written down."""

IDLE_S: Final = 0.25
FIRST_S: Final = 30.0
MAX_ATTEMPTS: Final = 8
_AT_ONCE: Final = 16
_LEASE_S: Final = 120.0
_LONGEST_DELAY_S: Final = 60.0


async def work(pool: Pool, kinds: tuple[TaskKind, ...], do: Do) -> None:
    """Do what waits until cancelled."""
    while True:
        try:
            busy = await do_next(pool, kinds, do)
        except Exception:
            log.exception("tasks about versions fail; they are taken up again when their lease has run out")
            busy = False
        if not busy:
            await asyncio.sleep(IDLE_S)


async def settle_first(pool: Pool, kinds: tuple[TaskKind, ...], do: Do) -> None:
    """Do what waits before anybody asks for it: after an upgrade that may be every version. For half a minute at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_S):
            while await do_next(pool, kinds, do):
                pass


async def do_next(pool: Pool, kinds: tuple[TaskKind, ...], do: Do) -> bool:
    """Do some of what waits; False when nothing did."""
    async with transaction(pool) as tx:
        tasks = await version_tasks.claim_tasks(tx, kinds, _AT_ONCE, _LEASE_S)
    await asyncio.gather(*(_do_one(pool, task, do) for task in tasks))
    return bool(tasks)


async def _do_one(pool: Pool, task: VersionTask, do: Do) -> None:
    try:
        finish = await do(task)
    except UnavailableError as error:  # a store that is away comes back, and nothing can be loaded meanwhile anyway
        log.warning("a task about a version waits", extra=_about(task) | {"error": error.detail})
        await _again(pool, task)
        return
    except Exception:
        log.exception("a task about a version failed", extra=_about(task))
        if task.attempts < MAX_ATTEMPTS:
            await _again(pool, task)
            return
        finish = _nothing
    async with transaction(pool) as tx:
        if await version_tasks.finish_task(tx, task):
            await finish(tx)


async def _again(pool: Pool, task: VersionTask) -> None:
    async with transaction(pool) as tx:
        await version_tasks.release_task(tx, task, min(0.25 * 2.0**task.attempts, _LONGEST_DELAY_S))


async def _nothing(_: Connection) -> None:
    """What is given up after `MAX_ATTEMPTS` changes nothing."""


def _about(task: VersionTask) -> dict[str, str]:
    return {"task": f"{task.kind} of {task.asset_kind}/{task.name}:{task.version}"}
