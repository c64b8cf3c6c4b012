"""The fixtures give each test what is its own."""

import io

import asyncpg
import nats
import pytest
from minio import Minio

from modelyard_testing.plugin import Bucket


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_database_is_fresh_migrated_and_the_services_own(database: str, time: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        tables = {
            row["tablename"]
            for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        }
        assert {"migrations", "outbox", "inbox"} <= tables
        assert "mark" not in tables
        await connection.execute("CREATE TABLE mark (name text)")
        assert await connection.fetchval("SELECT NOT rolsuper FROM pg_roles WHERE rolname = current_user")
    finally:
        await connection.close()


@pytest.mark.parametrize("time", ["first", "second"])
async def test_streams_are_empty(nats_url: str, time: str) -> None:
    client = await nats.connect(nats_url)
    try:
        jetstream = client.jetstream()
        assert (await jetstream.stream_info("EVENTS")).state.messages == 0
        await jetstream.publish("modelyard.default.model.registered", b"{}")
    finally:
        await client.close()


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_bucket_is_empty(bucket: Bucket, time: str) -> None:
    store = Minio(bucket.url.removeprefix("http://"), bucket.access_key, bucket.secret_key, secure=False)
    assert list(store.list_objects(bucket.name)) == []
    store.put_object(bucket.name, "mark", io.BytesIO(b"x"), 1)
    assert store.get_object(bucket.name, "mark").read() == b"x"
