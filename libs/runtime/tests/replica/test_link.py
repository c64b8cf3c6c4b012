"""Announcing and collecting, on a real nats-server that goes away and comes back."""

from __future__ import annotations

import json
import time
from typing import Any

import nats as nats_py
import pyarrow as pa
import pytest
from nats.js.api import KeyValueConfig, StreamConfig
from nats.js.errors import KeyNotFoundError

ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture
async def jetstream(nats: Any) -> Any:
    async def noted(_: Exception) -> None: ...

    connection = await nats_py.connect(nats.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, error_cb=noted)
    stream = connection.jetstream()
    await stream.create_key_value(KeyValueConfig(bucket="routes"))
    await stream.add_stream(StreamConfig(name="INFERENCE", subjects=["inference.>"]))
    yield stream
    await connection.close()


async def entry(jetstream: Any, key: Any) -> Any:
    try:
        return json.loads((await (await jetstream.key_value("routes")).get(key)).value)
    except KeyNotFoundError:
        return None


async def eventually(probe: Any, timeout_s: Any = 20.0) -> Any:
    import asyncio

    end = time.monotonic() + timeout_s
    while True:
        try:
            value = await probe()
        except (nats_py.errors.Error, OSError):
            value = None
        if value:
            return value
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0.05)


def key_of(started: Any) -> Any:
    return f"replica.flowers.blue.{started.replica.id}"


async def test_a_replica_is_announced_when_it_starts_and_withdrawn_before_it_stops(
    start: Any, specs: Any, nats: Any, jetstream: Any
) -> None:
    started = start(specs.matrix(), nats.url)
    announced = await entry(jetstream, key_of(started))
    assert (announced["host"], announced["port"], announced["generation"]) == ("127.0.0.1", started.client.port, 1)
    started.replica.stop()
    assert await entry(jetstream, key_of(started)) is None


async def test_a_lost_entry_and_a_lost_bucket_are_announced_again(
    start: Any, specs: Any, nats: Any, jetstream: Any
) -> None:
    started = start(specs.matrix(), nats.url)
    await (await jetstream.key_value("routes")).delete(key_of(started))
    await eventually(lambda: entry(jetstream, key_of(started)))
    await jetstream.delete_key_value("routes")
    await jetstream.create_key_value(KeyValueConfig(bucket="routes"))
    await eventually(lambda: entry(jetstream, key_of(started)))


async def test_without_nats_a_replica_starts_and_scores_and_is_announced_later(
    start: Any, specs: Any, nats: Any, jetstream: Any
) -> None:
    nats.kill()
    began = time.monotonic()
    started = start(specs.matrix(), nats.url)
    assert time.monotonic() - began < 10
    assert started.client.score({"input_data": [ROW]}) == (200, [0])
    nats.start()
    await eventually(lambda: entry(jetstream, key_of(started)))
    nats.kill()
    assert started.client.score({"input_data": [ROW]}) == (200, [0])
    began = time.monotonic()
    started.replica.stop()
    assert time.monotonic() - began < 12


async def rows(jetstream: Any, count: Any) -> Any:
    """The collected rows, once there are `count` of them; checks that none came twice."""
    subscription = await eventually(lambda: jetstream.pull_subscribe("inference.>", stream="INFERENCE"))
    tables: list[pa.Table] = []
    messages = []

    async def fetched() -> Any:
        messages.extend(await subscription.fetch(100, timeout=1))
        tables[:] = [pa.ipc.open_stream(message.data).read_all() for message in messages]
        return sum(len(table) for table in tables) >= count

    await eventually(fetched)
    return pa.concat_tables(tables), messages


async def test_scored_rows_are_shipped_with_predictions(start: Any, specs: Any, nats: Any, jetstream: Any) -> None:
    started = start(specs.matrix(), nats.url)
    started.client.send("POST", "/score", {"input_data": [ROW, [6.7, 3.0, 5.2, 2.3]]}, {"x-request-id": "first"})
    started.client.send("POST", "/score", {"input_data": [ROW]}, {"x-request-id": "second"})
    started.client.score(b"{")
    table, messages = await rows(jetstream, 3)
    assert table.column("__request_id").to_pylist() == ["first", "first", "second"], "the warm-up's row is nobody's"
    assert table.column("petal_length").to_pylist() == pytest.approx([1.4, 5.2, 1.4])
    assert table.column("prediction.label").to_pylist() == [0, 2, 0]
    assert table.column("prediction.probabilities.2").to_pylist()[1] > 0.5
    assert abs(table.column("__time").to_pylist()[0].timestamp() - time.time()) < 60
    assert messages[0].subject == "inference.default.flowers.blue"
    assert messages[0].headers["model"] == "iris:3"
    assert messages[0].headers["Nats-Msg-Id"].startswith(started.replica.id)


async def test_columns_keep_their_types(start: Any, specs: Any, nats: Any, jetstream: Any) -> None:
    started = start(specs.columns(), nats.url)
    started.client.score({"input_data": [specs.flight]})
    table, _ = await rows(jetstream, 1)
    assert [str(table.schema.field(name).type) for name in ("distance", "hour", "carrier", "prediction", "__time")] == [
        "float",
        "int64",
        "string",
        "float",
        "timestamp[us, tz=UTC]",
    ]
    assert table.column("carrier").to_pylist() == ["UA"]


async def test_a_batch_larger_than_a_message_is_split(start: Any, specs: Any, nats: Any, jetstream: Any) -> None:
    started = start(specs.matrix(collector=specs.collector(capacity_rows=60_000)), nats.url)
    assert started.client.score({"input_data": [ROW] * 50_000})[0] == 200
    table, messages = await rows(jetstream, 50_000)
    assert len(table) == 50_000
    assert len(messages) > 1


async def test_without_nats_rows_are_dropped_and_counted(start: Any, specs: Any, nats: Any, jetstream: Any) -> None:
    started = start(specs.matrix(collector=specs.collector(capacity_rows=10)), nats.url)
    nats.kill()
    specs.until(
        lambda: (
            started.client.score({"input_data": [ROW] * 3})[0] == 200
            and "rows_dropped_total 3" in started.client.send("GET", "/metrics")[1]
        )
    )
    nats.start()
    table, _ = await rows(jetstream, 9)
    assert len(table) == 9


async def test_sampling_keeps_its_share(start: Any, specs: Any, nats: Any, jetstream: Any) -> None:
    started = start(specs.matrix(collector=specs.collector(sampling_rate=0.2)), nats.url)
    for _ in range(500):
        started.client.score({"input_data": [ROW]})
    text = started.client.send("GET", "/metrics")[1]
    kept = int(
        next(line for line in text.splitlines() if line.startswith("modelyard_replica_rows_collected_total")).split()[1]
    )
    assert 50 <= kept <= 160, "five standard deviations around 100"
