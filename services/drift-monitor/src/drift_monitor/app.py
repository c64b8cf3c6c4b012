"""The only place where the drift monitor is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from drift_monitor.api import Parts, router
from drift_monitor.clients import RegistryProfiles
from drift_monitor.settings import Settings
from drift_monitor.usecases import collect
from drift_monitor.usecases.evaluate import Evaluator
from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.objects import ObjectStore
from modelyard_platform.service import Running, background, running


def build(settings: Settings) -> FastAPI:
    """The drift monitor's application."""
    here: Running | None = None
    key = settings.identity_key.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(running(settings, service="drift-monitor"))
            objects = ObjectStore(settings)
            registry = ServiceClient(settings.registry_url, service="drift-monitor", identity_key=key)
            stack.push_async_callback(registry.close)
            profiles = RegistryProfiles(registry, wait_s=settings.profile_wait_s)
            app.state.parts = Parts(here.pool, objects, profiles)
            await stack.enter_async_context(background(collect.work(here.pool, here.jetstream)))
            await stack.enter_async_context(background(Evaluator(here.pool, objects).work()))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    return create_app(service="drift-monitor", identity_key=key, routers=[router], lifespan=lifespan, ready=ready)
