"""A builder on real PostgreSQL, NATS, S3 and uv."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import nats
import pytest
from services.builder.tests.support import Client, Publish, Registry, Start, make_event

from builder.app import build
from builder.settings import Settings
from modelyard_contracts import Event, EventData, encode, nats_subject
from modelyard_platform.objects import ObjectStore
from modelyard_testing.identities import KEY
from modelyard_testing.plugin import Bucket


@pytest.fixture(scope="session")
def service_package() -> str:
    return "builder"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry().up() as up:
        yield up


@pytest.fixture
def settings(database: str, nats_url: str, bucket: Bucket, registry: Registry, tmp_path: Path) -> dict[str, Any]:
    return {
        "postgres_dsn": database,
        "nats_url": nats_url,
        "identity_key": KEY,
        "registry_url": registry.url,
        **bucket.settings,
        "data_dir": tmp_path / "builder",
        "first_delay_s": 0.1,
    }


@pytest.fixture
def objects(settings: dict[str, Any]) -> ObjectStore:
    return ObjectStore(Settings(**settings))


@pytest.fixture
def start(settings: dict[str, Any]) -> Start:
    """Starts a builder: `async with start() as client`."""

    @asynccontextmanager
    async def started(**changes: Any) -> AsyncIterator[Client]:
        app = build(Settings(**(settings | changes)))
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            Client(transport=transport, base_url="http://builder", timeout=120) as client,
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
