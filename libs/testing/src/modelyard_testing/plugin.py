"""pytest fixtures on real servers, loaded in every test run of a workspace that has this package (entry point `pytest11`).

Servers start once per test process, at first use; what a test gets from them is its own: a database, streams, a bucket.
A service's `conftest.py` says whose schema `database` has:

    @pytest.fixture(scope="session")
    def service_package() -> str:
        return "registry"
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest
from pydantic import SecretStr

if TYPE_CHECKING:  # imported where they are used: a run that needs no server does not pay for them
    from modelyard.stack import Layout

_DROP_DATABASE: Final = "DROP DATABASE {} WITH (FORCE)"
_CLONE_DATABASE: Final = "CREATE DATABASE {} TEMPLATE modelyard"


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A running server. Roles and schemas of the packages in `migrated` are in its database `modelyard`, the tests' template."""

    dsn: str
    layout: "Layout"
    migrated: set[str] = field(default_factory=set)

    def dsn_of(self, role: str, database: str) -> str:
        from modelyard.stack.parts import postgres_dsn

        return postgres_dsn(self.layout, role, database)


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """A running S3 gateway."""

    url: str
    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Bucket(S3Server):
    """A test's own bucket on it."""

    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """What a service's settings say of it."""
        return {
            "s3_url": self.url,
            "s3_access_key": self.access_key,
            "s3_secret_key": SecretStr(self.secret_key),
            "s3_bucket": self.name,
        }


@pytest.fixture(scope="session")
def server_layout() -> Iterator["Layout"]:
    """Where this test process's servers keep their things: removed at the end."""
    from modelyard.stack import Layout, services
    from modelyard.stack.parts import ports_of

    with tempfile.TemporaryDirectory(prefix="modelyard-test-", ignore_cleanup_errors=False) as folder:
        layout = Layout.open(Path(folder))
        layout.assign_ports(port for part in services.SERVERS for port in ports_of(part))
        yield layout
        layout.remove_sockets()


@pytest.fixture(scope="session")
def postgres_server(server_layout: "Layout") -> Iterator[PostgresServer]:
    """PostgreSQL, without waiting for the disk; `dsn` is the superuser's."""
    from modelyard.stack import parts
    from modelyard.stack.provision import create_roles
    from modelyard_testing.servers import in_thread, running

    with running(server_layout, parts.postgres(server_layout, durable=False)):
        in_thread(create_roles(server_layout, ()))
        yield PostgresServer(dsn=parts.postgres_dsn(server_layout, database="postgres"), layout=server_layout)


@pytest.fixture(scope="session")
def nats_server(server_layout: "Layout") -> Iterator[str]:
    """nats-server with JetStream: its URL. Most tests want `nats_url`, which comes with empty streams."""
    from modelyard.stack import parts
    from modelyard_testing.servers import running

    with running(server_layout, parts.nats(server_layout)):
        yield parts.nats_url(server_layout)


@pytest.fixture(scope="session")
def s3_server(server_layout: "Layout") -> Iterator[S3Server]:
    """The S3 gateway. Most tests want `bucket`."""
    from modelyard.stack import parts
    from modelyard_testing.servers import running

    with running(server_layout, parts.s3(server_layout)):
        yield S3Server(url=parts.s3_url(server_layout), access_key="modelyard", secret_key=server_layout.secret("s3"))


@pytest.fixture(scope="session")
def service_package() -> str:
    """The package whose migrations `database` has; override it in a service's conftest. By default the platform's tables only."""
    return "modelyard_testing"


@pytest.fixture
def database(postgres_server: PostgresServer, service_package: str) -> Iterator[str]:
    """The DSN of a fresh, migrated database, as the service's own role: cloned from a template, dropped after the test."""
    from modelyard.stack.provision import create_roles, migrate_all
    from modelyard_testing.servers import in_thread

    if service_package not in postgres_server.migrated:
        in_thread(create_roles(postgres_server.layout, (service_package,)))
        in_thread(migrate_all({service_package: postgres_server.dsn_of(service_package, "modelyard")}))
        postgres_server.migrated.add(service_package)
    name = f"test_{uuid4().hex}"
    in_thread(_execute(postgres_server.dsn, _CLONE_DATABASE.format(name)))
    yield postgres_server.dsn_of(service_package, name)
    in_thread(_execute(postgres_server.dsn, _DROP_DATABASE.format(name)))


@pytest.fixture
def nats_url(nats_server: str) -> str:
    """A server whose streams and buckets are those of `infra/nats/streams.yaml`, made anew: empty and without consumers."""
    from modelyard.stack.provision import create_streams
    from modelyard_testing.servers import in_thread

    in_thread(_delete_streams(nats_server))
    in_thread(create_streams(nats_server))
    return nats_server


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """An empty bucket of the test's own; it goes with the server's folder."""
    from modelyard.stack.provision import create_bucket

    own = Bucket(**vars(s3_server), name=f"test-{uuid4().hex}")
    create_bucket(own.url, own.access_key, own.secret_key, own.name)
    return own


@pytest.fixture(scope="session")
def seaweedfs_server(server_layout: "Layout") -> Iterator[S3Server]:
    """A second S3 server. Most tests want `every_bucket`."""
    from modelyard_testing.seaweedfs import remove_sockets, seaweedfs, seaweedfs_url
    from modelyard_testing.servers import running

    try:
        with running(server_layout, seaweedfs(server_layout)):
            secret = server_layout.secret("seaweedfs")
            yield S3Server(url=seaweedfs_url(server_layout), access_key="modelyard", secret_key=secret)
    finally:
        remove_sockets(server_layout)


@pytest.fixture(params=["s3_server", "seaweedfs_server"], ids=["juicefs", "seaweedfs"])
def every_bucket(request: pytest.FixtureRequest) -> Bucket:
    """An empty bucket on one S3 server and then on the other: for tests of what has to do with S3 itself."""
    from modelyard.stack.provision import create_bucket

    server: S3Server = request.getfixturevalue(request.param)
    own = Bucket(**vars(server), name=f"test-{uuid4().hex}")
    create_bucket(own.url, own.access_key, own.secret_key, own.name)
    return own


async def _execute(dsn: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _delete_streams(url: str) -> None:
    import nats

    connection = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
    try:
        jetstream = connection.jetstream()
        for stream in await jetstream.streams_info():
            await jetstream.delete_stream(stream.config.name or "")
    finally:
        await connection.close()
