"""The only place where the builder is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI

from builder.api import router
from builder.clients.registry import Registry
from builder.clients.uv import Uv
from builder.settings import Settings
from builder.subscribers import subscribers
from builder.usecases import conversions, environments
from builder.usecases.conversions import Converter
from builder.usecases.locks import Locker
from builder.usecases.tasks import work
from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.manifests import Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_platform.service import Running, background, running


def build(settings: Settings) -> FastAPI:
    """The builder's application."""
    here: Running | None = None
    key = settings.identity_key.get_secret_value()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        from uv import find_uv_bin

        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(running(settings, service="builder", subscribers=subscribers))
            client = ServiceClient(settings.registry_url, service="builder", identity_key=key)
            stack.push_async_callback(client.close)
            locker = Locker(
                pool=here.pool,
                store=ObjectStore(settings),
                registry=Registry(client),
                uv=Uv(find_uv_bin(), timeout_s=settings.lock_timeout_s),
                default_python=settings.default_python,
                timeout_s=settings.lock_timeout_s,
            )
            converter = Converter(
                locker=locker,
                data_dir=settings.data_dir.absolute(),
                rows=settings.sample_rows,
                materialise_timeout_s=settings.materialise_timeout_s,
                convert_timeout_s=settings.convert_timeout_s,
                verifier=Verifier.read(settings.signing_public_key),
            )
            app.state.locker = locker
            delay = settings.first_delay_s
            for working in (
                work(
                    here.pool,
                    "environment",
                    partial(environments.build, locker),
                    environments.tell,
                    first_delay_s=delay,
                ),
                work(
                    here.pool,
                    "conversion",
                    partial(conversions.convert_model, converter),
                    conversions.tell,
                    first_delay_s=delay,
                ),
            ):
                await stack.enter_async_context(background(working))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    return create_app(service="builder", identity_key=key, routers=[router], lifespan=lifespan, ready=ready)
