"""A running registry: the real application on real PostgreSQL, NATS and S3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from pydantic import SecretStr

from modelyard_platform import identity
from modelyard_platform.cause import Identity
from modelyard_platform.objects import ObjectStore
from modelyard_testing.plugin import Bucket
from registry.app import build
from registry.settings import Settings

KEY = "test-key-of-at-least-thirty-two-bytes"


@pytest.fixture(scope="session")
def service_package() -> str:
    return "registry"


@pytest.fixture
def settings(database: str, nats_url: str, bucket: Bucket) -> Settings:
    return Settings(
        postgres_dsn=SecretStr(database),
        nats_url=nats_url,
        identity_key=SecretStr(KEY),
        s3_url=bucket.url,
        s3_access_key=bucket.access_key,
        s3_secret_key=SecretStr(bucket.secret_key),
        s3_bucket=bucket.name,
        scheduler_url="http://127.0.0.1:9",
    )


@pytest.fixture
def store(settings: Settings) -> ObjectStore:
    return ObjectStore(settings)


def bearer(role: str = "owner", actor: str = "user:ada") -> dict[str, str]:
    who = Identity(actor=actor, role=role)  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {identity.sign(KEY, who, issuer='test')}"}


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = build(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as client:
            yield client


@pytest.fixture
def as_role() -> Callable[[str], dict[str, str]]:
    return bearer
