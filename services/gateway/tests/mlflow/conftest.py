"""A gateway in front of a real registry and scheduler, and MLflow clients that know nothing of it but its address and a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr
from services.gateway.tests.mlflow.scripts import SCRIPTS, interpreter, run_script
from services.scheduler.tests.support import builder_app

from gateway.app import build as build_gateway
from gateway.settings import Settings
from modelyard.stack.provision import create_roles, migrate_all
from modelyard_platform.objects import ObjectStore
from modelyard_testing.apps import app_server
from modelyard_testing.identities import KEY
from modelyard_testing.plugin import Bucket, PostgresServer
from modelyard_testing.servers import in_thread
from registry.app import build as build_registry
from registry.settings import Settings as RegistrySettings
from scheduler.app import build as build_scheduler
from scheduler.settings import Settings as SchedulerSettings

TOKEN = "the-owners-token"


@dataclass(frozen=True)
class Stack:
    """Where the gateway is, a client of its own API, and where the scheduler is."""

    url: str
    http: httpx.Client
    scheduler_url: str
    store: ObjectStore


@pytest.fixture(scope="session")
def service_package() -> str:
    return "scheduler"


@pytest.fixture(scope="session")
def registry_schema(postgres_server: PostgresServer) -> str:
    if "registry" not in postgres_server.migrated:
        in_thread(create_roles(postgres_server.layout, ("registry",)))
        in_thread(migrate_all({"registry": postgres_server.dsn_of("registry", "modelyard")}))
        postgres_server.migrated.add("registry")
    return "registry"


@pytest.fixture
def stack(
    registry_schema: str, database: str, postgres_server: PostgresServer, nats_url: str, bucket: Bucket
) -> Iterator[Stack]:
    common: dict[str, Any] = {
        "nats_url": nats_url,
        "identity_key": SecretStr(KEY),
        **bucket.settings,
    }
    name = urlsplit(database).path.removeprefix("/")
    registry_dsn = SecretStr(postgres_server.dsn_of(registry_schema, name))
    with ExitStack() as stack:
        registry = stack.enter_context(
            app_server(
                lambda: build_registry(
                    RegistrySettings(
                        **common,
                        postgres_dsn=registry_dsn,
                        scheduler_url="http://127.0.0.1:9",
                        owner_token_sha256=sha256(TOKEN.encode()).hexdigest(),
                    )
                )
            )
        )
        builder = stack.enter_context(app_server(builder_app))
        settings = SchedulerSettings(
            **common,
            postgres_dsn=SecretStr(database),
            registry_url=registry.url,
            builder_url=builder.url,
            public_url="http://127.0.0.1:9",
        )
        scheduler = stack.enter_context(app_server(lambda: build_scheduler(settings)))
        gateway = stack.enter_context(
            app_server(
                lambda: build_gateway(Settings(**common, registry_url=registry.url, scheduler_url=scheduler.url))
            )
        )
        http = stack.enter_context(
            httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
        )
        yield Stack(gateway.url, http, scheduler.url, ObjectStore(settings))


@pytest.fixture(scope="session", params=["mlflow-3", "mlflow-2"])
def client(request: pytest.FixtureRequest) -> Path:
    """The interpreter of each client."""
    return interpreter(request.param)


@pytest.fixture
def script(stack: Stack, client: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs one of `fixtures/mlflow/` with the client, in an empty folder; what it asserts has to hold."""

    def run(name: str, token: str = TOKEN, **variables: str) -> str:
        return run_script(client, SCRIPTS / f"{name}.py", tmp_path, url=stack.url, token=token, **variables)

    return run
