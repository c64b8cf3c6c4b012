"""The only place where the notifier is wired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from modelyard_platform.errors import UnavailableError
from modelyard_platform.http import create_app
from modelyard_platform.service import Running, background, running
from notifier.api import router
from notifier.clients.chat import Chat
from notifier.clients.openlineage import OpenLineage
from notifier.clients.webhook import Webhook
from notifier.domain.deliveries import RetryPolicy
from notifier.settings import Settings
from notifier.subscribers import subscribers
from notifier.usecases.deliveries import Sending, lease_of, listen, send_deliveries


def build(settings: Settings) -> FastAPI:
    """The notifier's application."""
    here: Running | None = None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        nonlocal here
        async with AsyncExitStack() as stack:
            here = await stack.enter_async_context(running(settings, service="notifier", subscribers=subscribers))
            app.state.pool = here.pool
            webhook = Webhook(timeout_s=settings.timeout_s)
            stack.push_async_callback(webhook.close)
            chat = Chat(timeout_s=settings.timeout_s, public_url=settings.public_url, in_flight=settings.in_flight)
            stack.callback(chat.close)
            sending = Sending(
                receivers={"webhook": webhook, "chat": chat, "openlineage": OpenLineage(webhook)},
                policy=RetryPolicy(settings.max_attempts, settings.first_delay_s, settings.longest_delay_s),
                lease_s=lease_of(settings.timeout_s),
                in_flight=settings.in_flight,
                in_flight_per_subscription=settings.in_flight_per_subscription,
            )
            wake = asyncio.Event()
            await stack.enter_async_context(background(listen(settings.postgres_dsn.get_secret_value(), wake)))
            await stack.enter_async_context(background(send_deliveries(here.pool, sending, wake)))
            yield

    async def ready() -> None:
        if here is None:
            raise UnavailableError("starting")
        await here.check()

    key = settings.identity_key.get_secret_value()
    return create_app(service="notifier", identity_key=key, routers=[router], lifespan=lifespan, ready=ready)
