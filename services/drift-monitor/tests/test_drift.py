"""From scored rows to `drift.detected`, and back to quiet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import nats
import numpy as np
import pyarrow as pa
import pytest
from nats.aio.client import Client as Nats

from drift_monitor.usecases.collect import keep_rows
from modelyard_contracts import decode
from modelyard_platform.database import create_pool
from modelyard_testing.conditions import eventually


def monitor(*, version: str = "1", window_rows: int = 1000, **signal: Any) -> dict[str, Any]:
    return {
        "properties": {"modelyard.window_rows": str(window_rows)},
        "trigger": {"type": "recurrence", "frequency": "hour", "interval": 1},
        "create_monitor": {
            "monitoring_target": {"endpoint_deployment_id": "azureml:flight-delay:blue"},
            "monitoring_signals": {
                "inputs": {
                    "type": "data_drift",
                    "reference_data": {"input_data": {"type": "uri_folder", "path": f"azureml:flights:{version}"}},
                    "metric_thresholds": {"numerical": {"normalized_wasserstein_distance": 0.3}},
                    **signal,
                }
            },
        },
    }


@pytest.fixture
async def connection(nats_url: str) -> AsyncIterator[Nats]:
    connection = await nats.connect(nats_url)
    yield connection
    await connection.close()


async def score(
    connection: Nats, count: int, *, mean: float, seed: int, message: str, deployment: str = "blue"
) -> None:
    """What a replica ships for `count` rows."""
    random = np.random.default_rng(seed)
    batch = pa.record_batch(
        {
            "temp": pa.array(random.normal(mean, 1.0, count)),
            "carrier": pa.array(random.choice(list("AB"), count)),
            "prediction": pa.array(random.random(count)),
            "__request_id": pa.array([message] * count),
            "__time": pa.array([datetime.now(UTC)] * count, pa.timestamp("us", "UTC")),
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    await connection.jetstream().publish(
        f"inference.default.flight-delay.{deployment}",
        sink.getvalue().to_pybytes(),
        headers={"Nats-Msg-Id": message, "model": "flight-delay:1"},
    )


async def signals(api: httpx.AsyncClient) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.get("/api/v1/monitors/watch/signals")).json()
    return answer


async def evaluated(api: httpx.AsyncClient, windows: int) -> dict[str, Any]:
    async def enough() -> dict[str, Any] | None:
        seen = await signals(api)
        return seen if len(seen["evaluations"]) >= windows else None

    seen = await eventually(enough)
    assert seen is not None
    return seen


async def put(api: httpx.AsyncClient, spec: dict[str, Any]) -> httpx.Response:
    return await api.put("/api/v1/monitors/watch", json={"spec": spec})


async def test_drift_is_told_once_when_it_begins_and_once_when_it_ends(
    api: httpx.AsyncClient, connection: Nats
) -> None:
    subscription = await connection.jetstream().subscribe("modelyard.default.drift.*", ordered_consumer=True)
    assert (await put(api, monitor())).status_code == 200

    for window, mean in enumerate((0.0, 1.0, 1.0, 0.0)):
        await score(connection, 600, mean=mean, seed=2 * window, message=f"{window}-a")
        await score(connection, 600, mean=mean, seed=2 * window + 1, message=f"{window}-b")
        await evaluated(api, window + 1)

    seen = await signals(api)
    assert [evaluation["drifted"] for evaluation in seen["evaluations"]] == [False, True, True, False]
    assert seen["signals"][0]["state"] == "quiet"
    assert {evaluation["rows"] for evaluation in seen["evaluations"]} == {1200}

    detected, resolved = [decode((await subscription.next_msg(timeout=10)).data) for _ in range(2)]
    assert (detected.type, resolved.type) == ("modelyard.drift.detected.v1", "modelyard.drift.resolved.v1")
    assert detected.subject == "endpoints/flight-delay/deployments/blue"
    assert detected.data.model == "flight-delay:1"
    [feature] = detected.data.features
    assert (feature.feature, feature.measure) == ("temp", "normalized_wasserstein_distance")
    assert feature.value == pytest.approx(1.0, abs=0.1)
    assert detected.causationid is not None


async def test_a_redelivered_batch_counts_once_and_other_deployments_not_at_all(
    api: httpx.AsyncClient, connection: Nats, database: str
) -> None:
    await put(api, monitor())
    await score(connection, 300, mean=0, seed=1, message="a")
    stored = await connection.jetstream().get_msg("INFERENCE", 1)
    pool = await create_pool(database, service="test")
    await keep_rows(pool, stored.subject or "", dict(stored.headers or {}), stored.data or b"")
    await pool.close()
    await score(connection, 300, mean=0, seed=2, message="b", deployment="green")
    await score(connection, 100, mean=0, seed=3, message="c")

    async def all_taken() -> bool:
        info = await connection.jetstream().consumer_info("INFERENCE", "drift-monitor-rows")
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    await eventually(all_taken)
    assert (await signals(api))["window_rows"] == 400


async def test_a_message_that_is_no_batch_is_a_dead_letter_and_the_next_is_taken(
    api: httpx.AsyncClient, connection: Nats
) -> None:
    await put(api, monitor())
    await connection.jetstream().publish("inference.default.flight-delay.blue", b"no arrow")
    await score(connection, 300, mean=0, seed=1, message="a")

    async def taken() -> bool:
        return bool((await signals(api))["window_rows"] == 300)

    await eventually(taken)
    letter = await connection.jetstream().get_msg("DEAD", 1)
    assert letter.headers is not None
    assert letter.headers["dead-reason"].startswith("invalid: not a batch of scored rows")


@pytest.mark.parametrize(
    ("spec", "status", "said"),
    [
        (monitor(version="2"), 412, "has no profile yet"),
        (monitor(version="3"), 412, "no CSV, Parquet or JSON lines file"),
        (monitor(features=["temp", "humidity"]), 400, "no column 'humidity'; it has temp, carrier"),
        (monitor(type="data_quality", metric_thresholds={}), 400, "only signals of type data_drift"),
        (monitor(window_rows=3), 400, "has to be a number from"),
        (monitor() | {"create_monitor": {}}, 400, "say which deployment is watched"),
        (monitor() | {"trigger": {"type": "cron", "expression": "* * * * *"}}, 400, "cron is not acted upon"),
        (monitor() | {"triger": {}}, 400, "triger"),
    ],
)
async def test_a_monitor_that_cannot_work_is_refused_and_not_stored(
    api: httpx.AsyncClient, spec: dict[str, Any], status: int, said: str
) -> None:
    answer = await put(api, spec)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["detail"]
    assert (await api.get("/api/v1/monitors")).json()["items"] == []


async def test_every_change_of_a_monitor_is_told(api: httpx.AsyncClient, connection: Nats) -> None:
    subscription = await connection.jetstream().subscribe("modelyard.default.monitor.*", ordered_consumer=True)
    for _ in range(2):
        assert (await put(api, monitor())).status_code == 200
    assert (await put(api, monitor() | {"description": "seen to"})).status_code == 200
    assert (await api.delete("/api/v1/monitors/watch")).status_code == 204
    made, changed, deleted = [decode((await subscription.next_msg(timeout=10)).data) for _ in range(3)]
    assert (made.subject, made.data.before) == ("monitors/watch", None)
    assert (made.data.endpoint, made.data.deployment) == ("flight-delay", "blue")
    assert [reference.rpartition(":")[2] for reference in made.data.references] == ["1"]
    assert (changed.data.before, changed.data.after["description"]) == (made.data.after, "seen to")
    assert (deleted.type, deleted.data.after) == ("modelyard.monitor.deleted.v1", None)
