"""The only place where the scheduler is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI

from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.objects import ObjectStore
from modelyard_platform.service import Running, background, running
from scheduler.api import artifacts, jobs, reports, runs, triggers
from scheduler.api.parts import Parts
from scheduler.clients.bell import Bell
from scheduler.clients.logs import LogStream
from scheduler.clients.neighbours import Builder, Registry
from scheduler.clients.work import WorkStream
from scheduler.settings import Settings
from scheduler.store.jobs import CHANNEL
from scheduler.subscribers import subscribers
from scheduler.usecases import ordering, preparing, registering, triggering
from scheduler.workers import drain, repeat

_PREPARERS: Final = 4
"""Environments that are locked at once: one that takes minutes holds no other up."""


def build(settings: Settings) -> FastAPI:
    """The scheduler's application."""
    here: Running | None = None
    key = settings.identity_key.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        async with AsyncExitStack() as stack:

            def client(url: str) -> ServiceClient:
                made = ServiceClient(url, service="scheduler", identity_key=key)
                stack.push_async_callback(made.close)
                return made

            registry = Registry(client(settings.registry_url))
            builder = Builder(client(settings.builder_url))
            here = await stack.enter_async_context(running(settings, service="scheduler", subscribers=subscribers))
            pool, store = here.pool, ObjectStore(settings)
            work = WorkStream(here.broker.config.connection_state.connection, here.jetstream)
            app.state.parts = Parts(pool, store, registry, LogStream(here.jetstream))
            bell = Bell(settings.postgres_dsn.get_secret_value(), CHANNEL)
            workers = [
                bell.run(),
                *(drain("environments", bell, partial(preparing.lock_next, pool, builder)) for _ in range(_PREPARERS)),
                drain("orders", bell, partial(ordering.publish_due, pool, work, key)),
                drain("registrations", bell, partial(registering.register_next, pool, store, registry)),
                drain("firings", bell, partial(triggering.fire_next, pool, registry)),
                repeat("recalls", bell, settings.order_check_s, partial(ordering.recall_canceled, pool, work)),
                repeat("checks", bell, settings.order_check_s, partial(ordering.check_orders, pool, work)),
            ]
            for one in workers:
                await stack.enter_async_context(background(one))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    routers = [
        jobs.router,
        triggers.router,
        runs.experiments_router,
        runs.runs_router,
        artifacts.models_router,
        artifacts.artifacts_router,
        reports.router,
    ]
    return create_app(service="scheduler", identity_key=key, routers=routers, lifespan=lifespan, ready=ready)
