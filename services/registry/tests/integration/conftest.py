"""A registry that signs, and events of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import nats
import pytest
from services.registry.tests.signed import Publish

from modelyard_contracts import Event, EventData, encode, full_type, nats_subject
from modelyard_platform import manifests
from modelyard_testing.identities import bearer
from registry.app import build
from registry.settings import Settings


@pytest.fixture
async def publish(nats_url: str) -> AsyncIterator[Publish]:
    connection = await nats.connect(nats_url)

    async def send(data: EventData, workspace: str = "default") -> Event[Any]:
        event: Event[Any] = Event[Any](
            id=uuid4(),
            source="/modelyard/elsewhere",
            type=full_type(data.TYPE),
            subject=data.subject,
            time=datetime.now(UTC),
            workspace=workspace,
            actor="user:ada",
            correlationid="c1",
            sequence=1,
            data=data,
        )
        await connection.jetstream().publish(nats_subject(workspace, data.TYPE), encode(event))
        return event

    yield send
    await connection.close()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "signing-key.pem"
    path.write_bytes(manifests.new_private_key())
    return path


@pytest.fixture
async def signing(settings: Settings, key: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A registry that signs."""
    app = build(settings.model_copy(update={"signing_key": key}))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as client:
            yield client
