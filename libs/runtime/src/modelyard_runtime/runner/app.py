"""The only place where the runner is wired."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from fastapi import FastAPI
from nats.aio.client import Client

from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.service import background
from modelyard_runtime.runner.dispatch import Dispatcher
from modelyard_runtime.runner.orders import Orders
from modelyard_runtime.runner.settings import RunnerSettings
from modelyard_runtime.runner.task import CONTROL

log = logging.getLogger(__name__)

_LOOK_AT_RAY_EVERY_S: Final = 2.0


def create(settings: RunnerSettings) -> FastAPI:
    """The runner's application: the orders beside `/healthz`, `/readyz` and `/metrics`."""
    parts: dict[str, Orders] = {}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(connect_ray, settings.ray_address)
            stack.callback(disconnect_ray)
            client = Client()
            key = settings.identity_key.get_secret_value()
            scheduler = ServiceClient(settings.scheduler_url, service="runner", identity_key=key)
            stack.push_async_callback(scheduler.close)
            durable = f"runner-{settings.pool}"
            dispatcher = Dispatcher(client, scheduler, durable=durable, heartbeat_s=settings.heartbeat_s)
            parts["orders"] = orders = Orders(client, dispatcher, settings, durable=durable)
            stack.push_async_callback(close, client)
            await stack.enter_async_context(background(connect_and_take(client, dispatcher, orders, settings.nats_url)))
            stack.push_async_callback(dispatcher.give_back)
            await stack.enter_async_context(background(watch_ray()))
            yield

    async def ready() -> None:
        if "orders" not in parts:
            raise UnavailableError("Ray is not connected")
        parts["orders"].check()

    key = settings.identity_key.get_secret_value()
    return create_app(service="runner", identity_key=key, routers=[], lifespan=lifespan, ready=ready)


async def connect_and_take(client: Client, dispatcher: Dispatcher, orders: Orders, url: str) -> None:
    """Takes orders for ever; NATS may come later, go, and come back."""
    await client.connect(url, name="runner", max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=_on_error)
    await client.subscribe(CONTROL, cb=dispatcher.cancel)
    await orders.take_all()


async def close(client: Client) -> None:
    """The connection, with what is still to be sent."""
    if client.is_connected:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await client.drain()


async def _on_error(error: Exception) -> None:
    log.warning("NATS", extra={"error": repr(error)})


def connect_ray(address: str) -> None:
    """Become a Ray driver. Called in a thread: in the main one Ray would take the signal handlers that stop this process."""
    import ray

    ray.init(address=address, namespace="modelyard-runner", log_to_driver=False, configure_logging=False)


async def watch_ray() -> None:
    """Raises RayError when the cluster this driver joined is gone. A driver cannot join the one that takes its place at the same
    address (every task is refused there): its process has to begin anew."""
    import ray

    while True:
        await asyncio.sleep(_LOOK_AT_RAY_EVERY_S)
        await asyncio.to_thread(ray.nodes)


def disconnect_ray() -> None:
    """Ends this driver's tasks with it."""
    import ray

    ray.shutdown()
