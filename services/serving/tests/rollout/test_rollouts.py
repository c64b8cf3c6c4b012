"""Deployments on real Ray Serve, with real replicas and real ONNX models."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.serving.tests.rollout.clients import Caller, bucket, events, gone, put, register, settled
from services.serving.tests.support import small_model

from modelyard.stack import Layout
from modelyard.stack.parts import Part, ray_environment
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from modelyard_testing.servers import running
from serving.clients.ray_serve import RayServe

pytestmark = pytest.mark.timeout(
    420
)  # every replica is a process of Ray's: some seconds each, twice that on a busy machine

RAISES = """
def init():
    raise ValueError("no such table: weights")


def run(data):
    return data
"""


def scripted(store: ObjectStore, folder: Path, script: str) -> dict[str, Any]:
    """The spec of a deployment with a score script of its own, in an environment with nothing in it."""
    code = folder / "code"
    code.mkdir()
    (code / "score.py").write_text(script)
    return {
        "code_configuration": {
            "code": f"{trees.SCHEME}{trees.upload(store, code).digest}",
            "scoring_script": "score.py",
        },
        "environment": {"conda_file": {"dependencies": ["python=3.11"]}},
    }


async def test_a_deployment_that_fails_never_hurts_one_that_works(
    stack: Layout,
    serving: Part,
    store: ObjectStore,
    api: httpx.AsyncClient,
    registry: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    good = await register(registry, store, "line", small_model(tmp_path / "good"))
    better = await register(registry, store, "line", small_model(tmp_path / "better", constant=10.0))
    with running(stack, serving):
        await put(api, "lines", {})
        asked = await put(api, "lines/deployments/blue", {"model": f"azureml:line:{good}"}, all_traffic=True)
        assert asked["provisioning_state"] == "Creating"
        assert (await bucket(stack))["endpoint.lines"]["traffic"] == {}, "traffic before it was ready"
        blue = await settled(api, "lines", "blue", "ready")
        assert (blue["replicas"], blue["traffic"], blue["provisioning_state"]) == (1, 100, "Succeeded")
        assert "line:1 loaded" in (await api.get("/api/v1/endpoints/lines/deployments/blue/logs")).text

        caller = Caller(stack, "lines", "blue")
        async with caller.load():
            await put(api, "lines/deployments/blue", scripted(store, tmp_path, RAISES))
            kept = await settled(api, "lines", "blue", "failed")
            assert "in init" in kept["detail"]
            assert "ValueError: no such table: weights" in kept["detail"]
            assert (kept["generation"], kept["live_generation"], kept["live_model"], kept["traffic"]) == (
                2,
                1,
                f"line:{good}",
                100,
            )
            assert await caller.score() == 3.0

            await put(api, "lines/deployments/blue", {"model": f"azureml:line:{better}"})
            await settled(api, "lines", "blue", "ready")
            assert await caller.score() == 13.0
            await eventually(lambda: _generations(stack, "lines", "blue", {3}), within_s=60)
        assert caller.failures == []
        assert set(caller.answers) == {3.0, 13.0}

        assert (await api.delete("/api/v1/endpoints/lines/deployments/blue")).status_code == 412
        assert (await api.delete("/api/v1/endpoints/lines")).status_code == 202
        assert "endpoint.lines" not in await bucket(stack)
        await gone(api, "lines")
        assert not [key for key in await bucket(stack) if key.startswith("replica.lines.")]
    told = await events(stack, "lines")
    assert [kind for kind, _ in told[:4]] == [
        "endpoint.created",
        "deployment.requested",
        "deployment.ready",
        "endpoint.traffic_changed",
    ]
    assert told[3][1] | {"endpoint": ""} == {
        "endpoint": "",
        "traffic": {"blue": 100},
        "previous": {},
        "models": {"blue": f"line:{good}"},
    }
    assert [kind for kind, _ in told].count("deployment.failed") == 1
    assert [kind for kind, _ in told[-2:]] == ["deployment.deleted", "endpoint.deleted"]


async def test_the_data_plane_survives_serving_and_serving_finds_it_again(
    stack: Layout,
    serving: Part,
    store: ObjectStore,
    api: httpx.AsyncClient,
    registry: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    version = await register(registry, store, "survivor", small_model(tmp_path))
    spec = {"model": f"azureml:survivor:{version}"}
    caller = Caller(stack, "survivors", "blue")
    with running(stack, serving) as process:
        await put(api, "survivors", {})
        await put(api, "survivors/deployments/blue", spec, all_traffic=True)
        await settled(api, "survivors", "blue", "ready")
        await put(api, "survivors/deployments/green", spec)
        await settled(api, "survivors", "green", "starting")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert await caller.score() == 3.0
        before = await _pids(stack, "survivors", "blue")
    async with caller.load():
        with running(stack, serving):
            await settled(api, "survivors", "green", "ready")
            assert await _pids(stack, "survivors", "blue") == before, "the live one was started again"
    assert caller.answers
    assert caller.failures == []

    ray = RayServe(ray_environment(stack))
    try:
        with running(stack, serving):
            await ray.delete("survivors.blue.g1")  # behind serving's back, as a restart of Ray does it to all of them
            await eventually(lambda: _told(stack, "survivors", "deployment.degraded"), within_s=60)
            blue = await settled(api, "survivors", "blue", "ready")
            assert blue["traffic"] == 100
            assert await _pids(stack, "survivors", "blue") != before
            assert (await api.delete("/api/v1/endpoints/survivors")).status_code == 202
            await gone(api, "survivors")
            assert not [name for name in await ray.applications() if name.startswith("survivors.")]
    finally:
        await ray.close()


async def test_a_lost_replica_whose_model_is_damaged_is_told(
    stack: Layout,
    serving: Part,
    store: ObjectStore,
    api: httpx.AsyncClient,
    registry: httpx.AsyncClient,
    tmp_path: Path,
) -> None:
    """Its place is taken once the node has the files again that were signed."""
    version = await register(registry, store, "damaged", small_model(tmp_path, constant=7.0))
    tree = (await registry.get(f"/api/v1/models/damaged/versions/{version}")).json()["tree"]
    subject = f"default/models/damaged/versions/{version}"
    with running(stack, serving):
        await put(api, "damaged", {})
        await put(api, "damaged/deployments/blue", {"model": f"azureml:damaged:{version}"}, all_traffic=True)
        await settled(api, "damaged", "blue", "ready")
        (cached,) = (stack.folder("node") / "trees" / tree).rglob("model.onnx")
        content = bytearray(cached.read_bytes())
        content[len(content) // 2] ^= 1
        cached.write_bytes(content)
        (pid,) = await _pids(stack, "damaged", "blue")
        os.kill(pid, signal.SIGKILL)

        async def refused() -> list[dict[str, Any]]:
            told = [data for kind, data in await events(stack, "damaged") if kind == "deployment.degraded"]
            return [data for data in told if data["refused"]]

        (event,) = await eventually(refused, within_s=60)
        assert event["refused"] == subject
        assert f"0 of 1 replicas are running: {subject} is refused: {cached} has been changed" in event["detail"]

        async def failed() -> list[dict[str, Any]]:
            page = await registry.get("/api/v1/events", params={"type": "model.integrity_failed"})
            found: list[dict[str, Any]] = page.json()["items"]
            return found

        (fact,) = await eventually(failed)
        assert fact["subject"] == f"models/damaged/versions/{version}"
        assert fact["data"]["refused_by"] == "endpoints/damaged/deployments/blue"

        shutil.rmtree(cached.parent)
        blue = await settled(api, "damaged", "blue", "ready")
        assert blue["detail"] == ""
        caller = Caller(stack, "damaged", "blue")
        async with caller.load():
            assert await caller.score() == 10.0
        assert len(await refused()) == len(await failed()) == 1, "it was tried often and said once"
        assert (await api.delete("/api/v1/endpoints/damaged")).status_code == 202
        await gone(api, "damaged")


async def _generations(layout: Layout, endpoint: str, deployment: str, wanted: set[int]) -> bool:
    prefix = f"replica.{endpoint}.{deployment}."
    return {entry["generation"] for key, entry in (await bucket(layout)).items() if key.startswith(prefix)} == wanted


async def _pids(layout: Layout, endpoint: str, deployment: str) -> set[int]:
    prefix = f"replica.{endpoint}.{deployment}."
    return {entry["pid"] for key, entry in (await bucket(layout)).items() if key.startswith(prefix)}


async def _told(layout: Layout, endpoint: str, kind: str) -> bool:
    return any(found == kind for found, _ in await events(layout, endpoint))
