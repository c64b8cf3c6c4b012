"""Jobs from submission to end, through the API and a runner."""

from __future__ import annotations

import asyncio
from typing import Any

import nats
from services.scheduler.tests.support import ENVIRONMENT, World, command, events_of, pipeline, put_files

from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer


async def test_a_command_job_runs_and_completes(world: World) -> None:
    job = await world.submit(command("train --rate ${{inputs.rate}}"), git={"commit": "c0ffee", "dirty": False})
    assert job["status"] == "submitted"
    async with world.runner().running() as runner:
        done = await world.ended(job["name"])
    assert done["status"] == "completed"
    assert runner.orders[0].command == "train --rate 0.5"
    assert runner.orders[0].environment
    assert runner.orders[0].token
    assert done["git"]["commit"] == "c0ffee"
    assert [step["status"] for step in done["steps"]] == ["completed"]
    types = [event.type for event in await events_of(world.nats_url)]
    assert types == [
        f"modelyard.{name}.v1"
        for name in ("job.submitted", "job.started", "step.started", "step.completed", "job.completed")
    ]


async def test_a_pipeline_binds_its_steps_and_registers_its_model(world: World) -> None:
    raw = put_files(world.store, {"flights.csv": "a,b\n1,2\n"})
    job = await world.submit(pipeline(f"modelyard://trees/{raw}"))
    async with world.runner().running() as runner:
        done = await world.ended(job["name"])
    assert done["status"] == "completed", done["detail"]
    prep, train = runner.orders
    assert prep.inputs["raw"].tree == raw
    assert train.inputs["clean"].tree == done["steps"][0]["outputs"]["clean"]
    assert train.command == "train ${{inputs.clean}} --rate 0.1 ${{outputs.model}}"
    assert done["registered"] == {"model": "models/delay/versions/1"}
    model = (await world.registry.get("/api/v1/models/delay/versions/1")).json()
    assert model["tree"] == done["outputs"]["model"]["tree"]
    assert model["job"] == job["name"]
    assert model["created_by"] == f"job:{job['name']}"
    assert model["environment"] == done["steps"][1]["environment"]

    async def registered_event() -> list[str]:
        return [e.type for e in await events_of(world.nats_url) if e.type == "modelyard.model.registered.v1"]

    await eventually(registered_event)
    events = {event.type: event for event in await events_of(world.nats_url)}
    by_id = {str(event.id): event for event in await events_of(world.nats_url)}
    registered = events["modelyard.model.registered.v1"]
    cause = by_id[str(registered.causationid)]
    assert cause.subject == f"jobs/{job['name']}/steps/train"
    assert by_id[str(cause.causationid)].type == "modelyard.job.submitted.v1"
    assert len({event.correlationid for event in by_id.values()}) == 1
    started = events["modelyard.step.started.v1"]
    assert started.data.environment == done["steps"][1]["environment"]

    async def completed() -> list[dict[str, str]]:
        return [e.data.registered for e in await events_of(world.nats_url) if e.type == "modelyard.job.completed.v1"]

    assert await eventually(completed) == [done["registered"]]


async def test_the_event_of_a_job_says_where_its_code_comes_from(world: World) -> None:
    code = put_files(world.store, {"run.sh": "echo"})
    spec = command(code=f"modelyard://trees/{code}")
    git = {"repository": "https://git.example/r", "branch": "main", "commit": "feed" * 10, "dirty": True}
    job = await world.submit(spec, git=git)

    async def submitted() -> list[Any]:
        return [event for event in await events_of(world.nats_url) if event.subject == f"jobs/{job['name']}"]

    said = (await eventually(submitted))[0].data
    assert said.code == [code]
    assert (said.repository, said.branch, said.commit, said.dirty) == (
        "https://git.example/r",
        "main",
        "feed" * 10,
        True,
    )


async def test_the_same_work_is_reused_and_forced_work_is_not(world: World) -> None:
    raw = put_files(world.store, {"flights.csv": "a\n1\n"})
    spec = pipeline(f"modelyard://trees/{raw}")
    async with world.runner().running() as runner:
        first = await world.submit(spec)
        first = await world.ended(first["name"])
        second = await world.submit(spec)
        second = await world.ended(second["name"])
        assert [step["status"] for step in second["steps"]] == ["reused", "reused"]
        assert second["steps"][1]["source"] == f"jobs/{first['name']}/steps/train"
        assert second["outputs"] == first["outputs"]
        assert second["registered"] == {"model": "models/delay/versions/2"}
        assert len(runner.orders) == 2
        forced = await world.submit(spec | {"settings": {"force_rerun": True}})
        forced = await world.ended(forced["name"])
        assert [step["status"] for step in forced["steps"]] == ["completed", "completed"]
        changed = {**spec, "inputs": {**spec["inputs"], "rate": 0.2}}
        changed_job = await world.submit(changed)
        changed_job = await world.ended(changed_job["name"])
        assert [step["status"] for step in changed_job["steps"]] == ["reused", "completed"]


async def test_what_is_not_deterministic_runs_again(world: World) -> None:
    step = {
        "command": "now ${{outputs.o}}",
        "environment": ENVIRONMENT,
        "outputs": {"o": None},
        "is_deterministic": False,
    }
    spec = {"type": "pipeline", "jobs": {"now": step}}
    async with world.runner().running():
        for _ in range(2):
            job = await world.submit(spec)
            done = await world.ended(job["name"])
            assert done["steps"][0]["status"] == "completed"


async def test_a_failing_step_fails_the_job_and_cancels_the_rest(world: World) -> None:
    spec = {
        "type": "pipeline",
        "jobs": {
            "a": {"command": "fail ${{outputs.o}}", "environment": ENVIRONMENT, "outputs": {"o": None}},
            "b": {
                "command": "b ${{inputs.i}}",
                "environment": ENVIRONMENT,
                "inputs": {"i": "${{parent.jobs.a.outputs.o}}"},
            },
        },
    }
    job = await world.submit(spec)
    async with world.runner().running() as runner:
        done = await world.ended(job["name"])
    assert done["status"] == "failed"
    assert done["failed_step"] == "a"
    assert "exit code 3" in done["detail"]
    assert [step["status"] for step in done["steps"]] == ["failed", "canceled"]
    assert len(runner.orders) == 1
    failed = [event for event in await events_of(world.nats_url) if event.type == "modelyard.job.failed.v1"]
    assert len(failed) == 1
    assert "runs fail" in failed[0].data.log_tail


async def test_with_continue_on_step_failure_the_others_go_on(world: World) -> None:
    def step(text: str, **more: object) -> dict[str, object]:
        return {"command": text, "environment": ENVIRONMENT, "outputs": {"o": None}, **more}

    spec = {
        "type": "pipeline",
        "settings": {"continue_on_step_failure": True},
        "jobs": {
            "a": step("fail ${{outputs.o}}"),
            "b": step("b ${{inputs.i}} ${{outputs.o}}", inputs={"i": "${{parent.jobs.a.outputs.o}}"}),
            "c": step("c ${{outputs.o}}"),
        },
    }
    async with world.runner().running():
        job = await world.submit(spec)
        done = await world.ended(job["name"])
    assert done["status"] == "failed"
    assert {step["name"]: step["status"] for step in done["steps"]} == {
        "a": "failed",
        "b": "canceled",
        "c": "completed",
    }


async def test_an_environment_that_cannot_be_made_fails_the_job(world: World) -> None:
    job = await world.submit(command(environment={"conda_file": {"dependencies": ["unsolvable"]}}))
    done = await world.ended(job["name"])
    assert done["status"] == "failed"
    assert "no version of `unsolvable` exists" in done["detail"]


async def test_an_output_that_cannot_be_registered_fails_the_job(world: World) -> None:
    taken = put_files(world.store, {"m": "1"})
    path = f"modelyard://trees/{taken}"
    model = {"spec": {"name": "delay", "version": "7", "type": "custom_model", "path": path}}
    assert (await world.registry.post("/api/v1/models", json=model)).status_code == 201
    spec = command(
        "x ${{outputs.m}}", outputs={"m": {"type": "custom_model", "name": "delay", "version": "7"}}, inputs={}
    )
    job = await world.submit(spec)
    async with world.runner().running():
        done = await world.ended(job["name"])
    assert done["status"] == "failed"
    assert "delay:7" in done["detail"]
    assert "exists" in done["detail"]


async def test_canceling_stops_what_runs(world: World) -> None:
    job = await world.submit(command("hang"))
    async with world.runner().running() as runner:
        await world.until(job["name"], lambda document: document["status"] == "running")
        answer = await world.scheduler.post(
            f"/api/v1/jobs/{job['name']}/cancel", headers={"Modelyard-Reason": "too slow"}
        )
        assert answer.status_code == 200
        assert answer.json()["status"] == "canceled"
        again = await world.scheduler.post(f"/api/v1/jobs/{job['name']}/cancel")
        assert again.status_code == 200

        async def recalled() -> bool:
            return runner.orders[0].step_id in runner.recalled

        await eventually(recalled)
        path = f"/internal/v1/steps/{runner.orders[0].step_id}/attempts/1/finished"
        late = await world.scheduler.post(path, json={"status": "completed"}, headers=bearer("service"))
        assert late.status_code == 409
        assert late.json()["code"] == "attempt_stale"
    canceled = [event for event in await events_of(world.nats_url) if event.type == "modelyard.job.canceled.v1"]
    assert [(event.actor, event.reason) for event in canceled] == [("user:ada", "too slow")]


async def test_a_canceled_step_that_nobody_has_begun_leaves_the_queue(world: World) -> None:
    job = await world.submit(command("never"))
    connection = await nats.connect(world.nats_url)
    try:
        jetstream = connection.jetstream()

        async def waiting(number: int) -> bool:
            return (await jetstream.stream_info("WORK")).state.messages == number

        await eventually(lambda: waiting(1))
        await world.scheduler.post(f"/api/v1/jobs/{job['name']}/cancel")
        await eventually(lambda: waiting(0))
    finally:
        await connection.close()


async def test_ended_jobs_cannot_be_canceled(world: World) -> None:
    job = await world.submit(command())
    async with world.runner().running():
        await world.ended(job["name"])
    answer = await world.scheduler.post(f"/api/v1/jobs/{job['name']}/cancel")
    assert answer.status_code == 409
    assert answer.json()["code"] == "job_ended"


async def test_the_same_idempotency_key_submits_once(world: World) -> None:
    headers = {"Idempotency-Key": "k1"}

    async def send() -> str:
        answer = await world.scheduler.post("/api/v1/jobs", json={"spec": command()}, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["name"])

    names = await asyncio.gather(*(send() for _ in range(4)))
    assert len(set(names)) == 1
    assert len((await world.scheduler.get("/api/v1/jobs")).json()["items"]) == 1


async def test_lists_are_filtered_and_paged(world: World) -> None:
    names = [(await world.submit(command(experiment_name="e"), name=f"job-{n}"))["name"] for n in range(3)]
    await world.submit(command(), name="other")
    page = (await world.scheduler.get("/api/v1/jobs", params={"experiment": "e", "limit": 2})).json()
    assert [item["name"] for item in page["items"]] == ["job-2", "job-1"]
    rest = (await world.scheduler.get("/api/v1/jobs", params={"experiment": "e", "cursor": page["next"]})).json()
    assert [item["name"] for item in rest["items"]] == names[:1]
    assert rest["next"] is None
    assert (await world.scheduler.get("/api/v1/jobs", params={"status": "failed"})).json()["items"] == []
    assert (await world.scheduler.get("/api/v1/jobs", params={"cursor": "x"})).status_code == 400
    assert (await world.scheduler.post("/api/v1/jobs", json={"spec": command(), "name": "other"})).status_code == 409


async def test_outputs_can_be_read_and_used_by_other_jobs(world: World) -> None:
    first = await world.submit(command("x ${{outputs.o}}", outputs={"o": None}, inputs={}), name="first")
    missing = await world.scheduler.get("/api/v1/jobs/first/outputs/o")
    assert missing.status_code == 404
    async with world.runner().running() as runner:
        await world.ended(first["name"])
        found = (await world.scheduler.get("/api/v1/jobs/first/outputs/o")).json()
        assert [file["path"] for file in found["files"]] == ["result.txt"]
        spec = command(
            "y ${{inputs.i}}", inputs={"i": {"type": "uri_folder", "path": "azureml://jobs/first/outputs/o"}}
        )
        second = await world.submit(spec)
        await world.ended(second["name"])
    assert runner.orders[1].inputs["i"].tree == found["tree"]


async def test_an_order_says_what_its_files_are_signed_as(world: World) -> None:
    tree = put_files(world.store, {"model.txt": "weights"})
    made = world.registry  # the real registry, without a key here: the order says so by having no manifest
    answer = await made.post("/api/v1/models", json={"spec": {"name": "delay", "path": f"modelyard://trees/{tree}"}})
    assert answer.status_code == 201, answer.text
    given = {"type": "custom_model", "path": "azureml:delay@latest"}
    job = await world.submit(command("score ${{inputs.model}}", inputs={"model": given}))
    async with world.runner().running() as runner:
        await world.ended(job["name"])
    (order,) = runner.orders
    assert order.inputs["model"].tree == tree
    assert order.inputs["model"].subject == "default/models/delay/versions/1"
    assert order.inputs["model"].manifest is None


async def test_an_order_says_what_a_components_code_is_signed_as(world: World) -> None:
    code = put_files(world.store, {"train.py": "print()"})
    spec = command("python train.py", inputs={}, name="train", code=f"modelyard://trees/{code}")
    answer = await world.registry.post("/api/v1/components", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    assert answer.json()["tree"] == code
    own = {"type": "command", "command": "true", "environment": spec["environment"]}
    steps = {
        "registered": {"component": "azureml:train:1"},
        "other": own | {"code": f"modelyard://trees/{put_files(world.store, {'a.py': ''})}"},
    }
    job = await world.submit({"type": "pipeline", "jobs": steps})
    async with world.runner().running() as runner:
        await world.ended(job["name"])
    orders = {order.step: order for order in runner.orders}
    assert (orders["registered"].code, orders["registered"].code_subject) == (
        code,
        "default/components/train/versions/1",
    )
    assert orders["other"].code_subject is None, "a job's own code is what its digest says"
