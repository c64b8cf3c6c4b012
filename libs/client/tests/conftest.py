"""A Modelyard for the SDK and the command line to talk to: the real gateway, registry and scheduler on real servers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from gateway.app import build as build_gateway
from gateway.settings import Settings as GatewaySettings
from modelyard import Client
from modelyard.stack.provision import create_roles, migrate_all
from modelyard_platform import identity
from modelyard_platform.cause import Identity
from modelyard_platform.manifests import new_private_key
from modelyard_platform.objects import ObjectStore
from modelyard_testing.apps import AppServer, app_server
from modelyard_testing.plugin import Bucket, PostgresServer
from modelyard_testing.servers import in_thread
from registry.app import build as build_registry
from registry.settings import Settings as RegistrySettings
from scheduler.app import build as build_scheduler
from scheduler.settings import Settings as SchedulerSettings

KEY = "test-key-of-at-least-thirty-two-bytes"
TOKEN = "the-owners-token"
OWNERS = ("registry", "scheduler", "serving", "notifier", "drift_monitor")
OTHERS = ("serving_url", "notifier_url", "drift_monitor_url")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What runs, and how a test gets at it."""

    gateway: AppServer
    registry: AppServer
    scheduler: AppServer
    nats_url: str

    @property
    def url(self) -> str:
        return self.gateway.url

    def report(self, step: str, attempt: int, what: str, body: dict[str, Any]) -> None:
        """What a runner tells the scheduler of a step."""
        who = Identity(actor="service:runner", role="service")
        headers = {"Authorization": f"Bearer {identity.sign(KEY, who, issuer='runner')}"}
        path = f"/internal/v1/steps/{step}/attempts/{attempt}/{what}"
        answer = httpx.post(self.scheduler.url + path, json=body, headers=headers)
        assert answer.status_code == 204, answer.text

    def log(self, job: str, step: str, text: str, attempt: int = 1) -> None:
        """What a step writes."""
        in_thread(self._publish(f"logs.default.{job}.{step}", text, {"attempt": str(attempt), "stream": "stdout"}))

    async def _publish(self, subject: str, text: str, headers: dict[str, str]) -> None:
        import nats

        connection = await nats.connect(self.nats_url)
        try:
            await connection.jetstream().publish(subject, text.encode(), headers=headers)
        finally:
            await connection.close()


def builder() -> FastAPI:
    """The builder's one route that jobs and deployments need: an environment with `unsolvable` in it cannot be locked."""
    app = FastAPI()

    @app.post("/api/v1/environment-locks")
    async def lock(request: Request) -> JSONResponse:
        body = await request.body()
        if b"unsolvable" in body:
            problem = {"status": 400, "code": "environment_unsolvable", "detail": "no version of `unsolvable` exists"}
            return JSONResponse(problem, 400, media_type="application/problem+json")
        return JSONResponse({"digest": sha256(body).hexdigest()})

    return app


@pytest.fixture(scope="session")
def service_package() -> str:
    return "registry"


@pytest.fixture(scope="session")
def _schemas(postgres_server: PostgresServer) -> None:
    """Both owners' schemas in the template that tests' databases are cloned from."""
    for owner in OWNERS:
        if owner not in postgres_server.migrated:
            in_thread(create_roles(postgres_server.layout, (owner,)))
            in_thread(migrate_all({owner: postgres_server.dsn_of(owner, "modelyard")}))
            postgres_server.migrated.add(owner)


@dataclass(frozen=True, kw_only=True)
class Servers:
    """The servers of one test, as services are told of them."""

    postgres: PostgresServer
    database: str
    common: dict[str, Any]

    @property
    def store(self) -> ObjectStore:
        """Where the blobs are."""
        return ObjectStore(RegistrySettings(**self.common, postgres_dsn=self.dsn("registry")))

    def execute(self, owner: str, statement: str) -> None:
        """In a service's database, as only a test may."""

        async def run() -> None:
            connection = await asyncpg.connect(self.dsn(owner).get_secret_value())
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        in_thread(run())

    def dsn(self, owner: str) -> SecretStr:
        return SecretStr(self.postgres.dsn_of(owner, urlsplit(self.database).path.removeprefix("/")))


@pytest.fixture
def servers(_schemas: None, postgres_server: PostgresServer, database: str, nats_url: str, bucket: Bucket) -> Servers:
    common: dict[str, Any] = {
        "nats_url": nats_url,
        "identity_key": SecretStr(KEY),
        **bucket.settings,
    }
    return Servers(postgres=postgres_server, database=database, common=common)


@pytest.fixture
def public_url(bucket: Bucket) -> str:
    """Where clients are told that S3 is; empty: blobs pass through the gateway."""
    return bucket.url


@pytest.fixture
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What versions' manifests are signed with."""
    path = tmp_path_factory.mktemp("signing") / "key.pem"
    path.write_bytes(new_private_key())
    return path


@pytest.fixture
def registry(servers: Servers, public_url: str, signing_key: Path) -> Iterator[AppServer]:
    def build() -> FastAPI:
        owner = sha256(TOKEN.encode()).hexdigest()
        settings = RegistrySettings(
            **servers.common,
            postgres_dsn=servers.dsn("registry"),
            owner_token_sha256=owner,
            s3_public_url=public_url,
            signing_key=signing_key,
        )
        return build_registry(settings)

    with app_server(build) as server:
        yield server


@pytest.fixture
def locks() -> Iterator[AppServer]:
    with app_server(builder) as server:
        yield server


@pytest.fixture
def others() -> dict[str, str]:
    """Where the gateway finds further services, by setting; nobody is there unless a test's module says otherwise."""
    return {}


@pytest.fixture
def platform(servers: Servers, registry: AppServer, locks: AppServer, others: dict[str, str]) -> Iterator[Platform]:
    scheduling = SchedulerSettings(
        **servers.common,
        postgres_dsn=servers.dsn("scheduler"),
        registry_url=registry.url,
        builder_url=locks.url,
        order_check_s=0.5,
    )
    with app_server(lambda: build_scheduler(scheduling)) as scheduler:
        where: dict[str, Any] = dict.fromkeys(OTHERS, "http://127.0.0.1:9") | others
        entry = GatewaySettings(
            **where,
            identity_key=SecretStr(KEY),
            nats_url=scheduling.nats_url,
            registry_url=registry.url,
            scheduler_url=scheduler.url,
        )
        with app_server(lambda: build_gateway(entry)) as gateway:
            yield Platform(gateway=gateway, registry=registry, scheduler=scheduler, nats_url=scheduling.nats_url)


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(platform.url, TOKEN, retry_s=20) as client:
        yield client


@pytest.fixture
def environment(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Platform:
    """The command line's surroundings: the platform's address and token, an empty working directory."""
    monkeypatch.setenv("MODELYARD_URL", platform.url)
    monkeypatch.setenv("MODELYARD_TOKEN", TOKEN)
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "no-stack"))
    monkeypatch.chdir(tmp_path)
    return platform


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Writes files below the test's folder; answers the last one's path."""

    def files(contents: dict[str, str]) -> Path:
        path = tmp_path
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return path

    return files
