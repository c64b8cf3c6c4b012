"""A notifier on real PostgreSQL and NATS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import nats
import pytest
from services.notifier.tests.support import Client, Publish, Receiver, Start, make_event

from modelyard_contracts import Event, EventData, encode, nats_subject
from modelyard_testing.identities import KEY
from notifier.app import build
from notifier.settings import Settings


@pytest.fixture(scope="session")
def service_package() -> str:
    return "notifier"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().up() as up:
        yield up


@pytest.fixture
def start(database: str, nats_url: str) -> Start:
    """Starts a notifier: `async with start(max_attempts=2) as client`. Its delays are short."""

    @asynccontextmanager
    async def started(**settings: Any) -> AsyncIterator[Client]:
        base: dict[str, Any] = {
            "postgres_dsn": database,
            "nats_url": nats_url,
            "identity_key": KEY,
            "first_delay_s": 0.05,
            "longest_delay_s": 0.2,
        }
        app = build(Settings(**(base | settings)))
        async with (
            app.router.lifespan_context(app),
            Client(transport=httpx.ASGITransport(app), base_url="http://notifier") as client,
        ):
            yield client.be("owner")

    return started


@pytest.fixture
async def publish(nats_url: str) -> AsyncIterator[Publish]:
    """Publishes an event as the relay of its owner does, and gives it back."""
    connection = await nats.connect(nats_url)

    async def send(data: EventData, *, message_id: str | None = None, **members: Any) -> Event[Any]:
        event = make_event(data, **members)
        subject = nats_subject(event.workspace, data.TYPE)
        await connection.jetstream().publish(
            subject, encode(event), headers={"Nats-Msg-Id": message_id or str(event.id)}
        )
        return event

    yield send
    await connection.close()
