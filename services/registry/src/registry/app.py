"""The only place where the registry is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.objects import ObjectStore
from modelyard_platform.service import Running, background, running
from registry.api import assets, blobs, governance
from registry.api.parts import Parts
from registry.clients import HttpScheduler
from registry.settings import Settings
from registry.subscribers import subscribers
from registry.usecases import profiles, tokens


def build(settings: Settings) -> FastAPI:
    """The registry's application."""
    here: Running | None = None
    key = settings.identity_key.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(running(settings, service="registry", subscribers=subscribers))
            store = ObjectStore(settings)
            client = ServiceClient(settings.scheduler_url, service="registry", identity_key=key)
            stack.push_async_callback(client.close)
            app.state.parts = Parts(here.pool, store, HttpScheduler(client), settings.max_blob_bytes)
            if settings.owner_token_sha256:
                await tokens.ensure_owner(here.pool, settings.owner_token_sha256)
            await stack.enter_async_context(background(profiles.work(here.pool, store)))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    routers = [*assets.routers(), blobs.router, governance.router, governance.internal]
    return create_app(service="registry", identity_key=key, routers=routers, lifespan=lifespan, ready=ready)
