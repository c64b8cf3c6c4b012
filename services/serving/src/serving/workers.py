"""The work behind the requests: one process of all that serve takes every deployment where it should be.

It holds an advisory lock for as long as its database session lives, so a killed one is replaced at once by another, or by itself
when it is started again; the rows say where to go on. Everything it does can be done twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeAlias

import asyncpg
from nats.errors import Error as NatsError

from modelyard_platform import database
from modelyard_platform.database import Connection, transaction
from modelyard_platform.errors import UnavailableError
from serving import store
from serving.domain.deployments import Deployment
from serving.usecases.parts import Parts
from serving.usecases.reconciling import reconcile
from serving.usecases.rollout import bring_up, fail, take_down

log = logging.getLogger(__name__)

AT_ONCE: Final = 64
"""The most deployments that come or go at a time; the others wait their turn."""
POLL_S: Final = 1.0
RETRY_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
MAX_SURPRISES: Final = 5
"""A generation that ended in an unexpected error this often is given up."""
LOST: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, NatsError)

Work: TypeAlias = tuple[str, str, int, bool]
"""Endpoint, deployment, generation, and whether it is on its way out."""


class Controller:
    """Runs beside the API. `reconnects` counts how often the broker connection came back."""

    def __init__(self, parts: Parts, dsn: str, *, reconcile_every_s: float, reconnects: Callable[[], int]) -> None:
        self._parts = parts
        self._dsn = dsn
        self._reconcile_every_s = reconcile_every_s
        self._reconnects = reconnects
        self._wake = asyncio.Event()
        self._tasks: dict[Work, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Lead whenever it can, until cancelled."""
        while True:
            try:
                await self._lead()
            except LOST as error:
                log.warning("the controller waits", extra={"error": repr(error)})
                await asyncio.sleep(POLL_S)

    async def _lead(self) -> None:
        session = await database.connect(self._dsn)
        try:
            while not await store.try_lead(session):  # noqa: ASYNC110  # what is waited for happens in another process
                await asyncio.sleep(POLL_S)
            await session.add_listener(store.CHANNEL, lambda *_: self._wake.set())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._reconcile())
                group.create_task(self._dispatch(session))
        except* LOST as lost:
            raise lost.exceptions[0] from lost
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            self._tasks.clear()
            with suppress(Exception):
                await session.close(timeout=2)

    async def _dispatch(self, session: Connection) -> None:
        """One task for each deployment on its way. A task whose generation is no longer wanted sees that by itself."""
        while True:
            self._wake.clear()
            await store.still_here(session)
            async with transaction(self._parts.pool) as tx:
                waiting = {_work(deployment): deployment for deployment in await store.unsettled(tx, AT_ONCE)}
            self._tasks = {work: task for work, task in self._tasks.items() if not task.done()}
            for work, deployment in waiting.items():
                if work not in self._tasks:
                    self._tasks[work] = asyncio.create_task(self._settle(deployment))
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):  # not wait_for: it may swallow a cancellation (Python 3.11)
                    await self._wake.wait()

    async def _settle(self, deployment: Deployment) -> None:
        surprises = waits = 0
        while True:
            try:
                await (take_down if deployment.status == "deleting" else bring_up)(self._parts, deployment)
            except UnavailableError as error:
                log.info("not settled yet", extra={"deployment": _work(deployment), "detail": error.detail})
            except LOST as error:
                log.warning("not settled yet", extra={"deployment": _work(deployment), "error": repr(error)})
            except Exception as error:
                log.exception("not settled", extra={"deployment": _work(deployment)})
                surprises += 1
                if surprises >= MAX_SURPRISES and deployment.status != "deleting":
                    await fail(self._parts, deployment, f"an unexpected error: {error!r}")
                    return
            else:
                return
            await asyncio.sleep(RETRY_S[min(waits, len(RETRY_S) - 1)])
            waits += 1

    async def _reconcile(self) -> None:
        suspects: frozenset[str] = frozenset()
        while True:
            seen = self._reconnects()
            try:
                suspects = await reconcile(self._parts, suspects)
            except UnavailableError as error:
                log.warning("Ray is not reconciled", extra={"detail": error.detail})
            except LOST as error:
                log.warning("not reconciled", extra={"error": repr(error)})
            for _ in range(max(1, round(self._reconcile_every_s / POLL_S))):
                await asyncio.sleep(POLL_S)
                if self._reconnects() != seen:
                    break


def _work(deployment: Deployment) -> Work:
    return deployment.endpoint, deployment.name, deployment.target.number, deployment.status == "deleting"
