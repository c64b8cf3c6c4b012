import asyncpg
import nats
import pytest

from modelyard.stack.provision import create_bucket, create_roles, create_streams, quantity
from modelyard_testing.plugin import Bucket, PostgresServer


async def test_a_role_owns_its_schema_and_reaches_no_other(postgres_server: PostgresServer) -> None:
    layout = postgres_server.layout
    await create_roles(layout, ("registry", "builder"))
    await create_roles(layout, ("registry", "builder"))  # again: changes nothing
    registry = await asyncpg.connect(postgres_server.dsn_of("registry", "modelyard"))
    builder = await asyncpg.connect(postgres_server.dsn_of("builder", "modelyard"))
    try:
        await registry.execute("CREATE TABLE IF NOT EXISTS models (name text)")
        assert await registry.fetchval("SELECT schemaname FROM pg_tables WHERE tablename = 'models'") == "registry"
        for forbidden in (
            "SELECT * FROM registry.models",
            "CREATE TABLE registry.mine (name text)",
            "CREATE TABLE public.mine (name text)",
            "CREATE TEMPORARY TABLE mine (name text)",
            "CREATE SCHEMA mine",
            "CREATE ROLE mine",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await builder.execute(forbidden)
        await registry.execute("DROP TABLE models")
    finally:
        await registry.close()
        await builder.close()


async def test_a_wrong_password_is_refused(postgres_server: PostgresServer) -> None:
    await create_roles(postgres_server.layout, ("registry",))
    dsn = postgres_server.dsn_of("registry", "modelyard").replace(":", ":x", 2)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(dsn.replace("postgresql:x", "postgresql:"))


async def test_streams_are_those_of_the_file_and_may_be_applied_again(nats_url: str) -> None:
    await create_streams(nats_url)
    connection = await nats.connect(nats_url)
    try:
        jetstream = connection.jetstream()
        found = {stream.config.name: stream.config for stream in await jetstream.streams_info()}
        assert found.keys() == {"EVENTS", "WORK", "LOGS", "INFERENCE", "DEAD", "KV_routes"}
        assert found["WORK"].retention == "workqueue"
        assert found["EVENTS"].max_age == 30 * 86400
        assert found["INFERENCE"].max_bytes == 1024**3
        assert found["INFERENCE"].discard == "old"
        assert all(config.storage == "file" for config in found.values())
        assert all((config.duplicate_window or 0) >= 120 for name, config in found.items() if name != "KV_routes")
        await jetstream.publish("work.default.step", b"{}")
        routes = await jetstream.key_value("routes")
        await routes.put("endpoint.flights", b"{}")
        assert (await routes.get("endpoint.flights")).value == b"{}"
    finally:
        await connection.close()


def test_a_bucket_may_be_asked_for_twice(bucket: Bucket) -> None:
    create_bucket(bucket.url, bucket.access_key, bucket.secret_key, bucket.name)


@pytest.mark.parametrize(("text", "value"), [("30d", 2592000), ("2m", 120), ("1Gi", 1073741824), ("7", 7)])
def test_quantities(text: str, value: int) -> None:
    assert quantity(text) == value


@pytest.mark.parametrize("text", ["", "d", "1.5h", "-1d", "3 days"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no age"):
        quantity(text)
