"""The only place where the gateway is wired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import nats
from fastapi import FastAPI

from gateway.api import live, mlflow, pages, proxy
from gateway.api.parts import Parts
from gateway.clients import Tokens, Upstreams
from gateway.settings import Settings
from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app


def build(settings: Settings) -> FastAPI:
    """The gateway's application."""
    key = settings.identity_key.get_secret_value()
    parts: Parts | None = None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal parts
        async with AsyncExitStack() as stack:
            connection = await nats.connect(
                settings.nats_url, name="gateway", max_reconnect_attempts=-1, reconnect_time_wait=1
            )
            stack.push_async_callback(connection.close)
            upstreams, tokens = Upstreams(settings), Tokens(settings)
            stack.push_async_callback(upstreams.close)
            stack.push_async_callback(tokens.close)
            parts = Parts(key, upstreams, tokens, connection, settings.session_hours)
            app.state.parts = parts
            yield

    async def ready() -> None:
        if parts is None or not parts.nats.is_connected:
            raise UnavailableError("NATS is not connected")

    routers = [pages.router, live.router, proxy.router, *mlflow.ROUTERS]
    # What passes through is bounded by the service that answers it, what is answered here by its router.
    return create_app(
        service="gateway",
        identity_key=key,
        routers=routers,
        lifespan=lifespan,
        ready=ready,
        max_body_bytes=None,
    )
