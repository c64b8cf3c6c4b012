"""The MLflow API over plain HTTP: what clients do not show."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import nats
import psutil
import pytest
from services.gateway.tests.mlflow.conftest import Stack

from gateway.usecases.mlflow.runs import MOST_POINTS
from modelyard_contracts import Event, EventData, encode, full_type, nats_subject
from modelyard_contracts.serving import DeploymentRequested
from modelyard_platform import trees
from modelyard_platform.trees import PART
from modelyard_testing.conditions import eventually
from modelyard_testing.damage import flip
from modelyard_testing.stacks import eventually as waited

MIB = 1 << 20


def test_errors_have_mlflows_form(stack: Stack) -> None:
    cases: list[tuple[str, str, Any, int, str | None, str]] = [
        ("GET", "/api/2.0/mlflow/runs/get", None, 400, "INVALID_PARAMETER_VALUE", "run_id"),
        ("GET", "/api/2.0/mlflow/runs/get?run_id=x", None, 404, "RESOURCE_DOES_NOT_EXIST", "no run"),
        ("POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": "x", "key": "k", "value": "y"}, 400, "INVALID_PARAMETER_VALUE", "value"),
        ("POST", "/api/2.0/mlflow/runs/create", {"start_time": 2**62}, 400, "INVALID_PARAMETER_VALUE", "no time"),
        ("GET", "/api/2.0/mlflow/runs/get?run_id=%00", None, 400, "INVALID_PARAMETER_VALUE", "U+0000"),
        ("GET", f"/api/2.0/mlflow/experiments/get?experiment_id={2**80}", None, 400, "INVALID_PARAMETER_VALUE", "no id"),
        ("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"], "filter": "tags.a LIKE 'x\\'"}, 200, None, ""),
        ("POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ["x"]}, 400, "INVALID_PARAMETER_VALUE", "numbers"),
        ("GET", "/api/2.0/mlflow/registered-models/get?name=x", None, 404, "RESOURCE_DOES_NOT_EXIST", "x"),
        ("POST", "/api/2.0/mlflow/registered-models/create", {"name": "a b"}, 400, "INVALID_PARAMETER_VALUE", "name"),
        ("POST", "/api/2.0/mlflow/gateway/secrets/create", {}, 404, "ENDPOINT_NOT_FOUND", "gateway/secrets/create"),
        ("GET", "/api/3.0/mlflow/traces/search", None, 404, "ENDPOINT_NOT_FOUND", "traces are not kept"),
        ("GET", "/api/2.0/mlflow/registered-models/search?page_token=MQ==", None, 400, "INVALID_PARAMETER_VALUE", "page token"),
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/x", {}, 501, "NOT_IMPLEMENTED", "not supported"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/0/x/artifacts/y", None, 404, "RESOURCE_DOES_NOT_EXIST", "y"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/a/%2e%2e/b", {}, 400, "INVALID_PARAMETER_VALUE", "relative path"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/registered-models/x/1/y", {}, 400, "INVALID_PARAMETER_VALUE", "never change"),
    ]  # fmt: skip
    for method, path, body, status, code, says in cases:
        answer = stack.http.request(method, path, json=body)
        assert answer.status_code == status, (path, answer.text)
        if code is not None:
            assert answer.json()["error_code"] == code, (path, answer.text)
            assert says in answer.json()["message"], (path, answer.text)


def test_what_others_have_written_is_no_fault_of_the_gateway(stack: Stack) -> None:
    run = stack.http.post("/api/2.0/mlflow/runs/create", json={}).json()["run"]["info"]["run_id"]
    for kept in ("no JSON", "7"):
        tag = {"run_id": run, "key": "mlflow.log-model.history", "value": kept}
        assert stack.http.post("/api/2.0/mlflow/runs/set-tag", json=tag).status_code == 200
        logged = {"run_id": run, "model_json": "{}"}
        refused = stack.http.post("/api/2.0/mlflow/runs/log-model", json=logged)
        assert (refused.status_code, refused.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), refused.text
    content = {"sha256": "0" * 64, "size": 1, "parts": ["0" * 64, "1" * 64]}
    named = stack.http.put("/api/v1/artifacts/0/x/artifacts/odd", json=content)
    assert (named.status_code, "parts" in named.text) == (400, True), named.text


def test_a_metrics_history_comes_in_pages(stack: Stack) -> None:
    run = stack.http.post("/api/2.0/mlflow/runs/create", json={}).json()["run"]["info"]["run_id"]
    for start in range(0, MOST_POINTS, 1000):
        points = [{"key": "loss", "value": one, "timestamp": one, "step": one} for one in range(start, start + 1000)]
        logged = stack.http.post("/api/2.0/mlflow/runs/log-batch", json={"run_id": run, "metrics": points})
        assert logged.status_code == 200, logged.text
    path = f"/api/2.0/mlflow/metrics/get-history?run_id={run}&metric_key=loss"
    assert len(stack.http.get(path).json()["metrics"]) == MOST_POINTS
    one_more = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": MOST_POINTS}
    assert stack.http.post("/api/2.0/mlflow/runs/log-metric", json=one_more).status_code == 200
    refused = stack.http.get(path)
    assert (refused.status_code, "max_results" in refused.json()["message"]) == (400, True), refused.text
    values: list[float] = []
    token = ""
    while token or not values:
        answer = stack.http.get(f"{path}&max_results=25000&page_token={token}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        values += [point["value"] for point in page["metrics"]]
        token = page.get("next_page_token", "")
    assert values == [*range(MOST_POINTS), 0.5]


def test_only_who_may_comes_in(stack: Stack) -> None:
    read, write = "/api/2.0/mlflow/experiments/get?experiment_id=0", "/api/2.0/mlflow/experiments/create"
    unknown = httpx.get(f"{stack.url}{read}")
    assert (unknown.status_code, unknown.json()["error_code"]) == (401, "UNAUTHENTICATED")
    wrong = httpx.get(f"{stack.url}{read}", headers={"Authorization": "Bearer guess"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (401, "UNAUTHENTICATED")
    made = stack.http.post("/api/v1/tokens", json={"name": "r", "role": "reader"}).json()
    reader = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.get(f"{stack.url}{read}", headers=reader).status_code == 200
    for method, path in (
        ("POST", write),
        ("POST", "/api/2.0/mlflow/registered-models/create"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/x"),
    ):
        refused = httpx.request(method, f"{stack.url}{path}", json={"name": "x"}, headers=reader)
        assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED"), path


def test_the_server_says_what_it_speaks(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/health").text == "OK"
    assert httpx.get(f"{stack.url}/version").text.startswith("3.")


async def test_a_version_that_something_stands_on_is_not_deleted(stack: Stack, nats_url: str) -> None:
    made = {"spec": {"name": "base", "path": "https://example.com/m"}}
    assert stack.http.post("/api/v1/models", json=made).status_code == 201
    await publish(nats_url, DeploymentRequested(endpoint="e", deployment="blue", generation=1, model="base:1"))

    async def used() -> bool:
        found = stack.http.get("/api/v1/models", params={"search": "used-by:endpoints/*"})
        return bool(found.json()["items"])

    assert await eventually(used)
    for path, more in (("model-versions", {"version": "1"}), ("registered-models", {})):
        refused = stack.http.request("DELETE", f"/api/2.0/mlflow/{path}/delete", json={"name": "base"} | more)
        assert (refused.status_code, refused.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
        assert "endpoints/e/deployments/blue" in refused.json()["message"]


async def publish(nats_url: str, data: EventData) -> None:
    """As the relay of its owner does."""
    event: Event[Any] = Event[Any](
        id=uuid4(),
        source="/modelyard/elsewhere",
        type=full_type(data.TYPE),
        subject=data.subject,
        time=datetime.now(UTC),
        workspace="default",
        actor="user:ada",
        correlationid="c1",
        sequence=1,
        data=data,
    )
    connection = await nats.connect(nats_url)
    try:
        await connection.jetstream().publish(nats_subject("default", data.TYPE), encode(event))
    finally:
        await connection.close()


@contextmanager
def peak_growth() -> Iterator[list[int]]:
    """How much this process, in which gateway and registry run, grows meanwhile, in bytes."""
    process, ended, seen = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not ended.wait(0.01):
            seen[0] = max(seen[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def test_a_large_file_passes_in_constant_memory(stack: Stack) -> None:
    size, expected = 256, hashlib.sha256()
    for number in range(size):
        expected.update(bytes([number]) * MIB)
    path = "/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts/large.bin"
    with peak_growth() as grown:
        chunks = (bytes([number]) * MIB for number in range(size))
        assert stack.http.put(path, content=chunks, timeout=120).status_code == 200
        got, length = hashlib.sha256(), 0
        with stack.http.stream("GET", path, timeout=120) as answer:
            assert answer.headers["content-length"] == str(size * MIB)
            for chunk in answer.iter_bytes():
                got.update(chunk)
                length += len(chunk)
    assert (length, got.hexdigest()) == (size * MIB, expected.hexdigest())
    assert grown[0] < 96 * MIB, f"{grown[0] / MIB:.0f} MiB for {size} MiB"


def test_a_file_that_breaks_off_is_not_there(stack: Stack) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts/0/r/artifacts/half.bin"

    def half() -> Iterator[bytes]:
        yield b"x" * MIB
        raise ConnectionAbortedError

    with suppress(ConnectionAbortedError):
        stack.http.put(path, content=half(), headers={"Content-Length": str(2 * MIB)})
    assert stack.http.get(path).status_code == 404


def test_a_damaged_file_does_not_reach_its_end_and_is_told(stack: Stack, tmp_path: Path) -> None:
    """MLflow's clients check no digests."""
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    (tmp_path / "large.bin").write_bytes(random.Random(0).randbytes(PART + MIB))
    tree = trees.upload(stack.store, tmp_path)
    spec = {"name": "damaged", "type": "mlflow_model", "path": f"{trees.SCHEME}{tree.digest}"}
    assert stack.http.post("/api/v1/models", json={"spec": spec}).status_code == 201
    path = "/api/2.0/mlflow-artifacts/artifacts/registered-models/damaged/1/large.bin"
    assert stack.http.get(path).content == (tmp_path / "large.bin").read_bytes()
    (large,) = [file for file in tree.files if file.parts]
    for part in reversed(large.parts):
        flip(stack.store, part)
        with pytest.raises(httpx.RemoteProtocolError):
            stack.http.get(path)

    def told() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stack.http.get(
            "/api/v1/events", params={"type": "model.integrity_failed"}
        ).json()["items"]
        return found

    (event,) = waited(told)
    assert (event["subject"], event["data"]["refused_by"]) == ("models/damaged/versions/1", "clients/user:owner")
    assert event["data"]["detail"].startswith(f"large.bin: blob {large.parts[1]} has been damaged")
