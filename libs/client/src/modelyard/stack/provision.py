"""One-shot jobs: what must exist in the servers before the services start. Each may run again at any time and changes nothing then."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from modelyard.stack import parts
from modelyard.stack.layout import Layout

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
_QUANTITY: Final = re.compile(r"(\d+)(s|m|h|d|Ki|Mi|Gi|)")
# A bounded number of migrations at once: two cores, and each waits for the disk most of the time.
_MIGRATIONS_AT_ONCE: Final = 3
_DATABASE_EXISTS: Final = "SELECT 1 FROM pg_database WHERE datname = $1"
_CREATE_DATABASE: Final = f"CREATE DATABASE {parts.DATABASE}"
_CLOSE_DATABASE: Final = f"""
REVOKE ALL ON DATABASE {parts.DATABASE} FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
"""
_SET_ROLE_PARAMETERS: Final = """
SELECT set_config('modelyard.role', $1, false), set_config('modelyard.password', $2, false)
"""
# Statements that define roles take no parameters: format() quotes them.
_CREATE_ROLE: Final = """
DO $$
DECLARE
    service text := current_setting('modelyard.role');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('CREATE ROLE %I LOGIN', service);
    END IF;
    EXECUTE format('ALTER ROLE %I PASSWORD %L', service, current_setting('modelyard.password'));
    EXECUTE format('ALTER ROLE %I SET search_path TO %I', service, service);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), service);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, service);
END
$$
"""


@dataclass(frozen=True, kw_only=True)
class OneShot:
    """A job that runs once per start, after the parts it needs are ready."""

    name: str
    after: frozenset[str]
    run: Callable[[], Awaitable[None]]


def jobs(layout: Layout, owners: tuple[str, ...]) -> list[OneShot]:
    """The jobs of a stack whose services `owners` (package names) own schemas."""

    async def database() -> None:
        await create_roles(layout, owners)
        await migrate_all({package: parts.postgres_dsn(layout, package) for package in owners})

    async def bucket() -> None:
        await asyncio.to_thread(create_bucket, parts.s3_url(layout), "modelyard", layout.secret("s3"), parts.S3_BUCKET)

    async def streams() -> None:
        await create_streams(parts.nats_url(layout))

    return [
        OneShot(name="database", after=frozenset({"postgres"}), run=database),
        OneShot(name="bucket", after=frozenset({"s3"}), run=bucket),
        OneShot(name="streams", after=frozenset({"nats"}), run=streams),
    ]


async def create_roles(layout: Layout, owners: tuple[str, ...]) -> None:
    """The database, closed to everybody, and for each owner a role with a schema of its own and no right on any other."""
    import asyncpg

    connection = await asyncpg.connect(parts.postgres_dsn(layout, database="postgres"), timeout=10)
    try:
        if not await connection.fetchval(_DATABASE_EXISTS, parts.DATABASE):
            await connection.execute(_CREATE_DATABASE)
    finally:
        await connection.close()
    connection = await asyncpg.connect(parts.postgres_dsn(layout), timeout=10)
    try:
        await connection.execute(_CLOSE_DATABASE)
        for owner in owners:
            await connection.execute(_SET_ROLE_PARAMETERS, owner, layout.secret(f"postgres-{owner}"))
            await connection.execute(_CREATE_ROLE)
    finally:
        await connection.close()


async def migrate_all(dsns: Mapping[str, str]) -> None:
    """Bring every service's schema up to date, in this one process: an interpreter for each would cost a second each."""
    if not dsns:
        return
    from modelyard_platform.migrations import migrate

    at_once = asyncio.Semaphore(_MIGRATIONS_AT_ONCE)

    async def one(package: str, dsn: str) -> None:
        async with at_once:
            await migrate(dsn, package)

    async with asyncio.TaskGroup() as group:
        for package, dsn in dsns.items():
            group.create_task(one(package, dsn))


def create_bucket(url: str, access_key: str, secret_key: str, bucket: str) -> None:
    """Make the bucket unless it is there."""
    from minio import Minio

    store = Minio(url.removeprefix("http://"), access_key=access_key, secret_key=secret_key, secure=False)
    if not store.bucket_exists(bucket):
        store.make_bucket(bucket)


async def create_streams(url: str) -> None:
    """Declare the streams and buckets of `infra/nats/streams.yaml`, changing those that differ.

    Raises:
        nats.js.errors.APIError: the server refuses a change (of a stream's retention, for one).
    """
    import nats
    import yaml
    from nats.js.api import DiscardPolicy, KeyValueConfig, RetentionPolicy, StorageType, StreamConfig
    from nats.js.errors import NotFoundError

    declared = yaml.safe_load(resources.files("modelyard.stack").joinpath("streams.yaml").read_text())
    connection = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
    try:
        jetstream = connection.jetstream()
        for stream in declared["streams"]:
            config = StreamConfig(
                name=stream["name"],
                subjects=stream["subjects"],
                retention=RetentionPolicy(stream["retention"]),
                storage=StorageType.FILE,
                max_age=quantity(stream.get("max_age", "0s")),
                max_bytes=quantity(stream["max_bytes"]) if "max_bytes" in stream else -1,
                discard=DiscardPolicy(stream.get("discard", "old")),
                duplicate_window=quantity(stream["duplicate_window"]),
            )
            try:
                await jetstream.stream_info(stream["name"])
                await jetstream.update_stream(config)
            except NotFoundError:
                await jetstream.add_stream(config)
        for bucket in declared["buckets"]:
            try:
                await jetstream.key_value(bucket["name"])
            except NotFoundError:
                await jetstream.create_key_value(KeyValueConfig(bucket=bucket["name"], history=bucket["history"]))
    finally:
        await connection.close()


def quantity(text: str) -> int:
    """`30d` in seconds, `1Gi` in bytes.

    Raises:
        ValueError: it is neither.
    """
    if (match := _QUANTITY.fullmatch(text)) is None:
        raise ValueError(f"{text!r} is no age (30s, 5m, 1h, 30d) and no size (512Ki, 64Mi, 1Gi)")
    return int(match[1]) * _UNITS[match[2]]
