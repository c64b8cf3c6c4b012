"""A service as a process: one lifespan for its pool, broker, relay and handlers; one entry with `run` and `migrate`."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from faststream.nats import NatsBroker
from nats.js import JetStreamContext

from modelyard_platform import database, migrations, telemetry
from modelyard_platform.database import Pool
from modelyard_platform.errors import UnavailableError
from modelyard_platform.relay import Relay
from modelyard_platform.settings import ServiceSettings
from modelyard_platform.subscribers import Subscribers, watch

_SHUTDOWN_S: Final = 5
_CANCEL_AGAIN_S: Final = 3.0
_COLLECT_AFTER: Final = 10_000


@dataclass(frozen=True, slots=True)
class Running:
    """What a running service has in hand."""

    pool: Pool
    broker: NatsBroker

    @property
    def jetstream(self) -> JetStreamContext:
        """The broker connection's JetStream."""
        stream: JetStreamContext = self.broker.config.connection_state.stream
        return stream

    async def check(self) -> None:
        """Raises when PostgreSQL or NATS does not answer."""
        async with asyncio.timeout(3):
            await self.pool.fetchval("select 1")
        if not self.broker.config.connection_state.connection.is_connected:
            raise UnavailableError("NATS is not connected")


@asynccontextmanager
async def running(
    settings: ServiceSettings, *, service: str, subscribers: Subscribers | None = None
) -> AsyncIterator[Running]:
    """Pool, broker with handlers, relay: started in this order, stopped in reverse."""
    async with AsyncExitStack() as stack:
        dsn = settings.postgres_dsn.get_secret_value()
        pool = await database.create_pool(dsn, service=service)
        stack.push_async_callback(_close_pool, pool)
        reconnected: list[Callable[[], None]] = []

        async def on_reconnect() -> None:
            for tell in reconnected:
                tell()

        broker = NatsBroker(
            settings.nats_url,
            name=service,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            reconnected_cb=on_reconnect,
            logger=None,
            apply_types=False,  # a handler takes the message as it is: solving dependencies cost more than most handlers
            graceful_timeout=_SHUTDOWN_S,
        )
        if subscribers is not None:
            subscribers.attach(broker, pool)
        await broker.start()
        stack.push_async_callback(broker.stop)
        here = Running(pool, broker)
        relay = Relay(dsn, here.jetstream, service=service)
        reconnected.append(relay.reconnected)
        await stack.enter_async_context(background(relay.run()))
        await stack.enter_async_context(background(watch(broker)))
        yield here


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Work beside the rest, cancelled at the end. If it ends by an error the process ends too: its supervisor starts it again."""
    task = asyncio.create_task(work)
    task.add_done_callback(_end_process_on_error)
    try:
        yield task
    finally:
        # Again and again: asyncio.wait_for, which nats-py waits with, may swallow a cancellation in Python 3.11 (gh-86296).
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CANCEL_AGAIN_S)
        with suppress(asyncio.CancelledError):
            await task


def _end_process_on_error(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        telemetry.log_fatal("background work ended", error)
        os._exit(70)  # EX_SOFTWARE: half a service is worse than none


async def _close_pool(pool: Pool) -> None:
    try:
        async with asyncio.timeout(_SHUTDOWN_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def main(service: str, package: str, settings: Callable[..., ServiceSettings], app: Callable[[Any], FastAPI]) -> None:
    """`python -m <package> run|migrate`."""
    command = sys.argv[1] if len(sys.argv) > 1 else "run"
    read = settings()
    telemetry.configure(service, level=read.log_level, otlp_endpoint=read.otlp_endpoint)
    match command:
        case "migrate":
            asyncio.run(migrations.migrate(read.postgres_dsn.get_secret_value(), package))
        case "run":
            serve(app(read), read)
        case _:
            sys.exit(f"unknown command {command!r}: run or migrate")


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Answer HTTP until SIGTERM or SIGINT."""
    import uvicorn

    # What is loaded by now stays, and most else lives no longer than a request: looking through it took a twentieth of the time.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 50)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        timeout_keep_alive=65,
    )
