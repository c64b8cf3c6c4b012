"""What is refused, with what is said; and that nothing of it is kept."""

from __future__ import annotations

from typing import Any

from services.scheduler.tests.support import ENVIRONMENT, World, command, events_of, pipeline, put_files

from modelyard_testing.identities import bearer


async def refuse(world: World, spec: dict[str, Any], status: int = 400) -> dict[str, Any]:
    answer = await world.scheduler.post("/api/v1/jobs", json={"spec": spec})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await world.scheduler.get("/api/v1/jobs")).json()["items"] == []
    assert await events_of(world.nats_url) == []
    problem: dict[str, Any] = answer.json()
    return problem


WRONG: list[tuple[dict[str, Any], str, str]] = [
    (command(comand="x"), "comand", "unknown key"),
    (command("run ${{inputs.rte}}"), "command", "inputs.rte"),
    (command(resources={"instance_count": 2}), "resources.instance_count", "more than one instance"),
    (command(code="./src"), "code", "local path"),
    (
        command(inputs={"rate": 1, "d": {"type": "uri_file", "path": "wasbs://c@a.blob.core.windows.net/a.csv"}}),
        "inputs.d.path",
        "outside",
    ),
    (command(outputs={"n": {"type": "number"}}), "outputs.n.type", "number"),
    (
        {
            "type": "sweep",
            "trial": {"command": "x", "environment": ENVIRONMENT},
            "objective": {"goal": "minimize", "primary_metric": "loss"},
            "sampling_algorithm": "random",
            "search_space": {"rate": {"type": "uniform", "min_value": 0.1, "max_value": 0.9}},
            "limits": {"max_total_trials": 4},
        },
        "",
        "sweep",
    ),
    ({"type": "pipeline", "jobs": {"a": {"type": "spark", "entry": {}}}}, "jobs.a.type", "spark"),
    ({"type": "pipeline", "jobs": {"a.b": {"command": "x", "environment": ENVIRONMENT}}}, "jobs.a.b", "not valid"),
]


async def test_a_wrong_specification_is_refused_with_its_place(world: World) -> None:
    for spec, path, says in WRONG:
        problem = await refuse(world, spec)
        assert problem["path"] == path
        assert says in problem["detail"]


async def test_every_problem_is_listed(world: World) -> None:
    problem = await refuse(world, command("x ${{inputs.a}} ${{inputs.b}}", inputs={}))
    assert len(problem["errors"]) == 2


async def test_a_missing_reference_says_which_and_what_exists(world: World) -> None:
    tree = put_files(world.store, {"a.csv": "a\n1\n"})
    spec = {"name": "flights", "type": "uri_file", "path": f"modelyard://trees/{tree}"}
    assert (await world.registry.post("/api/v1/data", json={"spec": spec})).status_code == 201
    given = {"rate": 1, "d": {"type": "uri_file", "path": "azureml:flights:9"}}
    answer = await world.scheduler.post("/api/v1/jobs", json={"spec": command(inputs=given)})
    assert answer.status_code == 404
    assert answer.json()["path"] == "inputs.d.path"
    assert "flights:9" in answer.json()["detail"]
    assert answer.json()["exists"] == ["1"]
    assert (await world.scheduler.get("/api/v1/jobs")).json()["items"] == []


async def test_references_are_resolved_to_versions(world: World) -> None:
    tree = put_files(world.store, {"a.csv": "a\n1\n"})
    path = f"modelyard://trees/{tree}"
    assets = {
        "data": {"name": "flights", "type": "uri_file", "path": path},
        "models": {"name": "delay", "type": "custom_model", "path": path},
        "environments": {"name": "sk", **ENVIRONMENT},
        "components": {
            "name": "score",
            "type": "command",
            "command": "score ${{inputs.model}} ${{inputs.data}} $[[--top ${{inputs.top}}]] ${{inputs.rate}}",
            "environment": "azureml:sk@latest",
            "inputs": {
                "model": {"type": "custom_model"},
                "data": {"type": "uri_file"},
                "top": {"type": "integer", "optional": True},
                "rate": {"type": "number", "default": 0.5},
            },
        },
    }
    for kind, spec in assets.items():
        answer = await world.registry.post(f"/api/v1/{kind}", json={"spec": spec})
        assert answer.status_code == 201, answer.text
    aliased = await world.registry.put("/api/v1/models/delay/aliases/champion", json={"version": "1"})
    assert aliased.status_code == 200, aliased.text
    spec = {
        "type": "pipeline",
        "inputs": {
            "data": {"type": "uri_file", "path": "azureml:flights@latest"},
            "model": {"type": "custom_model", "path": "azureml:delay@champion"},
        },
        "jobs": {
            "score": {
                "component": "azureml:score:1",
                "inputs": {"data": "${{parent.inputs.data}}", "model": "${{parent.inputs.model}}"},
            }
        },
    }
    job = await world.submit(spec)
    assert job["inputs"] == {"data": "azureml:flights:1", "model": "azureml:delay:1"}
    async with world.runner().running() as runner:
        done = await world.ended(job["name"])
    assert done["status"] == "completed", done["detail"]
    assert runner.orders[0].command == "score ${{inputs.model}} ${{inputs.data}}  0.5"
    assert runner.orders[0].inputs["model"].tree == tree
    assert world.builder.state.calls[0]["conda_file"] == ENVIRONMENT["conda_file"]


async def test_curated_environments_go_to_the_builder_as_they_are(world: World) -> None:
    curated = "azureml://registries/azureml/environments/sklearn-1.5/labels/latest"
    job = await world.submit(command(environment=curated))
    await world.until(job["name"], lambda document: document["steps"][0]["status"] == "queued")
    assert world.builder.state.calls == [curated]


async def test_only_those_who_may_submit(world: World) -> None:
    body = {"spec": command()}
    assert (await world.scheduler.post("/api/v1/jobs", json=body, headers={"Authorization": ""})).status_code == 401
    assert (await world.scheduler.post("/api/v1/jobs", json=body, headers=bearer("reader"))).status_code == 403
    report = await world.scheduler.post(f"/internal/v1/steps/{'0' * 32}/attempts/1/started", json={"node": "x"})
    assert report.status_code == 403


async def test_jobs_and_steps_that_do_not_exist(world: World) -> None:
    assert (await world.scheduler.get("/api/v1/jobs/none")).json()["code"] == "job_not_found"
    assert (await world.scheduler.get("/api/v1/jobs/none/logs")).status_code == 404
    await world.submit(command(), name="one")
    answer = await world.scheduler.get("/api/v1/jobs/one/logs", params={"step": "two"})
    assert answer.status_code == 404
    assert answer.json()["exists"] == ["main"]
    unknown = f"/internal/v1/steps/{'0' * 32}/attempts/1/started"
    assert (await world.scheduler.post(unknown, json={"node": "x"}, headers=bearer("service"))).status_code == 404
    bad = await world.scheduler.post("/api/v1/jobs", json={"spec": command(), "name": "a.b"})
    assert bad.json()["path"] == "name"


async def test_a_pipelines_own_output_needs_a_step_that_writes_it(world: World) -> None:
    spec = pipeline(f"modelyard://trees/{'0' * 64}")
    spec["outputs"]["extra"] = {"type": "uri_folder", "name": "extra"}
    problem = await refuse(world, spec)
    assert problem["path"] == "outputs.extra"
