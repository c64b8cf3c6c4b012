"""The only place where serving is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.service import Running, background, running
from serving.api import router
from serving.clients.builder import Builder
from serving.clients.models import Models
from serving.clients.ray_serve import RayServe
from serving.clients.replicas import Replicas
from serving.clients.routes import Routes
from serving.domain.plan import Defaults
from serving.settings import Settings
from serving.usecases.parts import Parts
from serving.workers import Controller


def build(settings: Settings) -> FastAPI:
    """Serving's application."""
    here: Running | None = None
    identity_key = settings.identity_key.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        async with AsyncExitStack() as stack:
            here = began = await stack.enter_async_context(running(settings, service="serving"))
            registry = ServiceClient(settings.registry_url, service="serving", identity_key=identity_key)
            builder = ServiceClient(settings.builder_url, service="serving", identity_key=identity_key)
            ray, replicas = RayServe(), Replicas()
            for client in (registry, builder, ray, replicas):
                stack.push_async_callback(client.close)
            app.state.parts = parts = Parts(
                pool=began.pool,
                models=Models(registry),
                builder=Builder(builder),
                routes=Routes(lambda: began.jetstream),
                ray=ray,
                replicas=replicas,
                key_secret=settings.key_secret,
                public_url=settings.public_url,
                defaults=Defaults(
                    replica_cpus=settings.replica_cpus,
                    request_timeout_ms=settings.request_timeout_ms,
                    max_body_bytes=settings.max_body_bytes,
                ),
                build_timeout_s=settings.build_timeout_s,
                start_timeout_s=settings.start_timeout_s,
            )
            controller = Controller(
                parts,
                settings.postgres_dsn.get_secret_value(),
                reconcile_every_s=settings.reconcile_every_s,
                reconnects=lambda: int(began.broker.config.connection_state.connection.stats["reconnects"]),
            )
            await stack.enter_async_context(background(controller.run()))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    return create_app(service="serving", identity_key=identity_key, routers=[router], lifespan=lifespan, ready=ready)
