"""A running serving without Ray: the real application on real PostgreSQL, NATS and S3, beside a real registry."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from services.serving.tests.integration.running import Served, serve

from modelyard.stack.provision import create_roles, migrate_all
from modelyard_platform import database as db
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from modelyard_testing.identities import KEY, bearer
from modelyard_testing.plugin import Bucket, PostgresServer
from modelyard_testing.servers import in_thread
from registry.app import build as build_registry
from registry.settings import Settings as RegistrySettings
from serving import store
from serving.settings import Settings


@pytest.fixture(scope="session")
def template(postgres_server: PostgresServer) -> PostgresServer:
    """The template of databases, with the registry's schema beside serving's."""
    if "registry" not in postgres_server.migrated:
        in_thread(create_roles(postgres_server.layout, ("registry",)))
        in_thread(migrate_all({"registry": postgres_server.dsn_of("registry", "modelyard")}))
        postgres_server.migrated.add("registry")
    return postgres_server


@pytest.fixture
async def registry(
    template: PostgresServer, database: str, nats_url: str, bucket: Bucket
) -> AsyncIterator[httpx.AsyncClient]:
    """The registry's API, as the owner, over HTTP."""
    settings = RegistrySettings(
        postgres_dsn=SecretStr(template.dsn_of("registry", database.rsplit("/", 1)[1])),
        nats_url=nats_url,
        identity_key=SecretStr(KEY),
        **bucket.settings,
        scheduler_url="http://127.0.0.1:9",
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(
            uvicorn.Config(build_registry(settings), log_config=None, access_log=False, timeout_graceful_shutdown=1)
        )
        task = asyncio.create_task(server.serve([listener]))
        await eventually(lambda: _started(server))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, headers=bearer(), timeout=30) as client:
            yield client
        server.should_exit = True
        await task


async def _started(server: uvicorn.Server) -> bool:
    return server.started


@pytest.fixture
def blobs(bucket: Bucket) -> ObjectStore:
    """The blobs that the registry knows."""
    return ObjectStore(
        RegistrySettings(
            identity_key=SecretStr(KEY),
            **bucket.settings,
        )
    )


@pytest.fixture
def settings(database: str, nats_url: str, registry: httpx.AsyncClient) -> Settings:
    return Settings(
        postgres_dsn=SecretStr(database),
        nats_url=nats_url,
        identity_key=SecretStr(KEY),
        registry_url=str(registry.base_url),
        builder_url="http://127.0.0.1:9",
        public_url="http://modelyard.test",
        start_timeout_s=3,
    )


@pytest.fixture
async def elsewhere(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Another process of serving controls the deployments: the one under test only answers, and nothing asks Ray."""
    connection = await db.connect(database)
    assert await store.try_lead(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def served(settings: Settings, elsewhere: asyncpg.Connection[asyncpg.Record]) -> AsyncIterator[Served]:
    """A serving whose deployments go nowhere by themselves."""
    async with serve(settings) as running:
        yield running
