"""A running scheduler beside a running registry, on real PostgreSQL, NATS and S3, with a runner and a builder of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr
from services.scheduler.tests.support import World, builder_app, on_port

from modelyard.stack.provision import create_roles, migrate_all
from modelyard_platform.objects import ObjectStore
from modelyard_testing.identities import KEY, bearer
from modelyard_testing.plugin import Bucket, PostgresServer
from modelyard_testing.servers import in_thread
from registry.app import build as build_registry
from registry.settings import Settings as RegistrySettings
from scheduler.app import build
from scheduler.settings import Settings


@pytest.fixture(scope="session")
def service_package() -> str:
    return "scheduler"


@pytest.fixture(scope="session")
def registry_schema(postgres_server: PostgresServer) -> str:
    """The registry's role and schema in the template too; tests' databases are cloned from it."""
    if "registry" not in postgres_server.migrated:
        in_thread(create_roles(postgres_server.layout, ("registry",)))
        in_thread(migrate_all({"registry": postgres_server.dsn_of("registry", "modelyard")}))
        postgres_server.migrated.add("registry")
    return "registry"


@pytest.fixture
def settings(registry_schema: str, database: str, nats_url: str, bucket: Bucket) -> Settings:
    return Settings(
        postgres_dsn=SecretStr(database),
        nats_url=nats_url,
        identity_key=SecretStr(KEY),
        **bucket.settings,
        public_url="http://127.0.0.1:9",
        order_check_s=0.5,
    )


@pytest.fixture
async def world(settings: Settings, postgres_server: PostgresServer) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        name = urlsplit(settings.postgres_dsn.get_secret_value()).path.removeprefix("/")
        registry_dsn = SecretStr(postgres_server.dsn_of("registry", name))
        own = RegistrySettings(
            **settings.model_dump(exclude={"postgres_dsn", "scheduler_url", "order_check_s"}),
            postgres_dsn=registry_dsn,
            scheduler_url="http://127.0.0.1:9",
        )
        registry_url = await stack.enter_async_context(on_port(build_registry(own)))
        builder = builder_app()
        builder_url = await stack.enter_async_context(on_port(builder))
        wired = settings.model_copy(update={"registry_url": registry_url, "builder_url": builder_url})
        url = await stack.enter_async_context(on_port(build(wired)))
        scheduler = await stack.enter_async_context(httpx.AsyncClient(base_url=url, headers=bearer()))
        registry = await stack.enter_async_context(httpx.AsyncClient(base_url=registry_url, headers=bearer()))
        yield World(
            settings=wired,
            scheduler=scheduler,
            registry=registry,
            builder=builder,
            store=ObjectStore(wired),
            nats_url=wired.nats_url,
            url=url,
        )
