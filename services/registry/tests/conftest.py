"""A running registry: the real application on real PostgreSQL, NATS and S3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from pydantic import SecretStr

from modelyard_platform.objects import ObjectStore
from modelyard_testing.identities import KEY, bearer
from modelyard_testing.plugin import Bucket
from registry.app import build
from registry.settings import Settings


@pytest.fixture(scope="session")
def service_package() -> str:
    return "registry"


@pytest.fixture
def settings(database: str, nats_url: str, bucket: Bucket) -> Settings:
    return Settings(
        postgres_dsn=SecretStr(database),
        nats_url=nats_url,
        identity_key=SecretStr(KEY),
        **bucket.settings,
        scheduler_url="http://127.0.0.1:9",
    )


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return ObjectStore(settings)


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as client:
            yield client


@pytest.fixture
def as_role() -> Callable[..., dict[str, str]]:
    return bearer
