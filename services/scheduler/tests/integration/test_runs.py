"""Experiments, runs, logged models and artifacts through the API; jobs seen as runs."""

from __future__ import annotations

import asyncio
from typing import Any

from services.scheduler.tests.support import World, command, pipeline, put_files

from modelyard_testing.identities import bearer

DIGEST = "0" * 64


async def create_run(world: World, **more: Any) -> dict[str, Any]:
    answer = await world.scheduler.post("/api/v1/runs", json=more)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def get(world: World, path: str) -> Any:
    answer = await world.scheduler.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def point(value: float | str, step: int = 0, key: str = "loss") -> dict[str, Any]:
    return {"key": key, "value": value, "timestamp": 1_700_000_000_000 + step, "step": step}


async def test_a_job_is_a_run_from_its_queueing_to_its_end(world: World) -> None:
    job = await world.submit(command("train", experiment_name="nightly", display_name="Nightly"))

    def queued(document: dict[str, Any]) -> bool:
        return bool(document["steps"][0]["status"] == "queued")

    waiting = await world.until(job["name"], queued)
    path = f"runs/{waiting['steps'][0]['id']}"
    run = await get(world, path)
    assert (run["name"], run["status"], run["job"], run["ended_at"]) == ("Nightly", "scheduled", job["name"], None)
    assert (await get(world, f"experiments/{run['experiment']}"))["name"] == "nightly"
    async with world.runner().running():
        await world.ended(job["name"])
    run = await get(world, path)
    assert run["status"] == "finished"
    assert run["ended_at"]
    assert run["created_by"] == "user:ada"


async def test_a_pipeline_is_the_parent_of_its_steps_runs_and_fails_with_them(world: World) -> None:
    raw = put_files(world.store, {"flights.csv": "a\n1\n"})
    spec = pipeline(f"modelyard://trees/{raw}")
    spec["jobs"]["train"]["command"] = "fail ${{inputs.clean}} ${{outputs.model}}"
    job = await world.submit(spec)
    async with world.runner().running():
        done = await world.ended(job["name"])
    assert done["status"] == "failed"
    parent = await get(world, f"runs/{job['name']}")
    assert (parent["status"], parent["experiment"]) == ("failed", "0")
    search = {
        "experiments": [0],
        "conditions": [{"field": "tag", "key": "mlflow.parentRunId", "op": "=", "value": job["name"]}],
        "order": [{"field": "attribute", "key": "name"}],
    }
    found = (await world.scheduler.post("/api/v1/runs/search", json=search)).json()["items"]
    assert [(one["name"], one["status"]) for one in found] == [("prep", "finished"), ("train", "failed")]


async def test_what_is_logged_twice_counts_once(world: World) -> None:
    run = await create_run(world, name="r")
    batch = {
        "metrics": [point(0.5), point(0.25, 1), point("NaN", 2), point("-Infinity", 3)],
        "params": {"rate": "0.1"},
        "tags": {"a": "b"},
    }
    for _ in range(2):
        answer = await world.scheduler.post(f"/api/v1/runs/{run['id']}/log", json=batch)
        assert answer.status_code == 204, answer.text
    history = await get(world, f"runs/{run['id']}/metrics/loss")
    assert [one["value"] for one in history["items"]] == [0.5, 0.25, "NaN", "-Infinity"]
    page = await get(world, f"runs/{run['id']}/metrics/loss?limit=3")
    assert len(page["items"]) == 3
    rest = await get(world, f"runs/{run['id']}/metrics/loss?limit=3&cursor={page['next']}")
    assert ([one["value"] for one in rest["items"]], rest["next"]) == (["-Infinity"], None)
    for cursor in ("3", "1_2_x", f"{2**63}_0_0.0", "1_2_3_4"):
        refused = await world.scheduler.get(f"/api/v1/runs/{run['id']}/metrics/loss", params={"cursor": cursor})
        assert (refused.status_code, "cursor" in refused.json()["detail"]) == (400, True), cursor
    read = await get(world, f"runs/{run['id']}")
    assert [one["value"] for one in read["metrics"]] == ["-Infinity"]
    assert (read["params"], read["tags"]) == ({"rate": "0.1"}, {"a": "b"})


async def test_a_batch_is_logged_whole_or_not_at_all(world: World) -> None:
    run = await create_run(world)
    path = f"/api/v1/runs/{run['id']}/log"
    assert (await world.scheduler.post(path, json={"params": {"rate": "0.1"}})).status_code == 204
    refused = await world.scheduler.post(path, json={"metrics": [point(1)], "params": {"rate": "0.2", "new": "x"}})
    assert (refused.status_code, refused.json()["code"]) == (400, "param_set")
    assert "0.1" in refused.json()["detail"]
    read = await get(world, f"runs/{run['id']}")
    assert (read["params"], read["metrics"]) == ({"rate": "0.1"}, [])


async def test_clients_that_log_at_once_lose_nothing(world: World) -> None:
    run = await create_run(world)

    async def log(worker: int) -> None:
        for step in range(10):
            batch = {
                "metrics": [point(worker, step * 10 + worker, key) for key in ("b", "a", "c")],
                "tags": {f"t{worker}": str(step)},
            }
            answer = await world.scheduler.post(f"/api/v1/runs/{run['id']}/log", json=batch)
            assert answer.status_code == 204, answer.text

    await asyncio.gather(*(log(worker) for worker in range(8)))
    read = await get(world, f"runs/{run['id']}")
    assert read["tags"] == {f"t{worker}": "9" for worker in range(8)}
    assert {one["key"]: (one["step"], one["value"]) for one in read["metrics"]} == dict.fromkeys("abc", (97, 7))
    assert len((await get(world, f"runs/{run['id']}/metrics/a"))["items"]) == 80


async def test_two_clients_that_make_one_experiment_get_one(world: World) -> None:
    answers = await asyncio.gather(
        *(world.scheduler.post("/api/v1/experiments", json={"name": "same"}) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len((await get(world, "experiments?name=same"))["items"]) == 1


async def test_readers_read_and_workspaces_see_their_own(world: World) -> None:
    run = await create_run(world, name="r")
    reader = bearer("reader")
    assert (await world.scheduler.get(f"/api/v1/runs/{run['id']}", headers=reader)).status_code == 200
    for method, path in (
        ("POST", "experiments"), ("POST", "runs"), ("POST", f"runs/{run['id']}/log"), ("DELETE", f"runs/{run['id']}"),
        ("POST", "logged-models"), ("PUT", "artifacts/a"), ("DELETE", "artifacts/a"),
    ):  # fmt: skip
        answer = await world.scheduler.request(method, f"/api/v1/{path}", json={"name": "x"}, headers=reader)
        assert answer.status_code == 403, (method, path)
    elsewhere = bearer("owner", workspace="other")
    assert (await world.scheduler.get(f"/api/v1/runs/{run['id']}", headers=elsewhere)).status_code == 404
    search = {"experiments": [0]}
    found = await world.scheduler.post("/api/v1/runs/search", json=search, headers=elsewhere)
    assert found.json()["items"] == []


async def test_a_path_is_a_file_or_a_folder(world: World) -> None:
    async def put(path: str) -> int:
        answer = await world.scheduler.put(f"/api/v1/artifacts/{path}", json={"sha256": DIGEST, "size": 1})
        return answer.status_code

    assert [await put(path) for path in ("r/a/x", "r/a/y", "r/a-b", "r/a0", "r/b")] == [200] * 5
    assert await put("r/a") == 409
    assert await put("r/b/c") == 409
    assert await put("r/a/x") == 200
    for path in ("r/%2e%2e/x", "r//x", "/x", "r/x/", "r\\x", "x" * 1025):
        assert await put(path) in (400, 404), path
    children = (await get(world, "artifacts?under=r"))["items"]
    assert [(one["name"], one["folder"], one["size"]) for one in children] == [
        ("a", True, None), ("a-b", False, 1), ("a0", False, 1), ("b", False, 1),
    ]  # fmt: skip
    under = await get(world, "artifacts?under=r/a&recursive=true")
    assert [one["path"] for one in under["items"]] == ["r/a/x", "r/a/y"]
    page = await get(world, "artifacts?under=r&limit=3")
    assert [one["name"] for one in (await get(world, f"artifacts?under=r&cursor={page['next']}"))["items"]] == ["b"]
    assert (await world.scheduler.delete("/api/v1/artifacts/r/a")).status_code == 204
    assert [one["name"] for one in (await get(world, "artifacts?under=r"))["items"]] == ["a-b", "a0", "b"]


async def test_bad_input_is_refused_with_its_place(world: World) -> None:
    run = await create_run(world)
    cases: list[tuple[str, Any, str]] = [
        ("runs", {"experiment": "x"}, "experiment"),
        ("runs", {"started_at": "2026-01-01"}, "started_at"),
        ("experiments", {"name": ""}, "name"),
        ("runs/search", {"experiments": [0], "cursor": "x"}, "cursor"),
        ("runs/search", {"experiments": [0], "conditions": [{"field": "cat", "key": "x", "op": "="}]}, "field"),
        (f"runs/{run['id']}/log", {"metrics": [{"key": "k", "value": "many", "timestamp": 0}]}, "value"),
        (f"runs/{run['id']}/log", {"metrics": [{"key": "k", "value": 1, "timestamp": 2**63}]}, "timestamp"),
        (f"runs/{run['id']}/log", {"params": {"k": "x" * 6001}}, "params"),
    ]
    for path, body, where in cases:
        answer = await world.scheduler.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 400, (path, answer.text)
        assert where in answer.json()["path"], answer.text
    for path in (
        "runs/%00",
        f"experiments/{2**63}",
        "experiments/x",
        "artifacts?under=%00",
        "artifacts/%00",
        "logged-models/%00",
    ):
        answer = await world.scheduler.get(f"/api/v1/{path}")
        assert answer.status_code == 400, (path, answer.text)
    unknown = await world.scheduler.post("/api/v1/runs", json={"experiment": 12345})
    assert unknown.json()["code"] == "experiment_not_found"
    zero = await world.scheduler.post(f"/api/v1/runs/{run['id']}/log", json={"tags": {"k": "a\0b"}})
    assert zero.status_code == 400, zero.text


async def test_a_logged_models_metrics_are_those_of_its_workspace(world: World) -> None:
    made = await world.scheduler.post("/api/v1/logged-models", json={"name": "m"})
    model = made.json()["id"]
    for workspace, value in (("default", 1.0), ("elsewhere", 2.0)):
        who = bearer(workspace=workspace)
        run = (await world.scheduler.post("/api/v1/runs", json={}, headers=who)).json()["id"]
        notes = {"metrics": [point(value, step=int(value)) | {"model": model}]}
        assert (await world.scheduler.post(f"/api/v1/runs/{run}/log", json=notes, headers=who)).status_code == 204
    assert [one["value"] for one in (await get(world, f"logged-models/{model}"))["metrics"]] == [1.0]
    for wanted, found in ((1.0, [model]), (2.0, [])):
        condition = {"field": "metric", "key": "loss", "op": "=", "value": wanted}
        body = {"experiments": [0], "conditions": [condition]}
        answer = await world.scheduler.post("/api/v1/logged-models/search", json=body)
        assert [one["id"] for one in answer.json()["items"]] == found
