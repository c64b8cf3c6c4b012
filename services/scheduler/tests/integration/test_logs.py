"""Logs: live, and as they are kept."""

from __future__ import annotations

import json
from typing import Any

from services.scheduler.tests.support import World, command, pipeline, put_files

from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer


def read(body: str) -> list[tuple[str, dict[str, Any]]]:
    """The server-sent events of an answer."""
    found = []
    for block in body.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_following_shows_every_line_and_ends_with_the_job(world: World) -> None:
    raw = put_files(world.store, {"flights.csv": "a\n1\n"})
    job = await world.submit(pipeline(f"modelyard://trees/{raw}"))
    async with (
        world.runner().running(),
        world.scheduler.stream(
            "GET", f"/api/v1/jobs/{job['name']}/logs", params={"follow": "true"}, timeout=30
        ) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = read((await answer.aread()).decode())
    assert [(kind, data.get("step")) for kind, data in events] == [("log", "prep"), ("log", "train"), ("end", None)]
    assert events[0][1]["text"].startswith("runs prep")
    assert events[-1][1]["status"] == "completed"


async def test_logs_are_read_from_the_blobs_when_the_job_has_ended(world: World) -> None:
    raw = put_files(world.store, {"flights.csv": "a\n1\n"})
    job = await world.submit(pipeline(f"modelyard://trees/{raw}"))
    async with world.runner().running():
        await world.ended(job["name"])
    address = f"/api/v1/jobs/{job['name']}/logs"
    whole = (await world.scheduler.get(address)).text
    assert whole.startswith("==> prep <==\nruns prep")
    assert "==> train <==\nruns train" in whole
    one = (await world.scheduler.get(address, params={"step": "train"})).text
    assert one.startswith("runs train")
    events = read((await world.scheduler.get(address, params={"follow": "true"})).text)
    assert [kind for kind, _ in events] == ["log", "log", "end"]


async def test_what_runs_can_be_read_so_far(world: World) -> None:
    job = await world.submit(command("hang"))
    async with world.runner().running():
        await world.until(job["name"], lambda document: document["status"] == "running")

        async def text() -> str:
            return (await world.scheduler.get(f"/api/v1/jobs/{job['name']}/logs")).text

        assert await eventually(text) == "runs hang\n"


async def test_jobs_of_one_name_in_two_workspaces_have_logs_of_their_own(world: World) -> None:
    job = await world.submit(command("hang"), name="same")
    async with world.runner().running():
        await world.until(job["name"], lambda document: document["status"] == "running")

        async def text(workspace: str = "default") -> str:
            headers = bearer("owner", workspace=workspace)
            return (await world.scheduler.get("/api/v1/jobs/same/logs", headers=headers)).text

        assert await eventually(text) == "runs hang\n"
        spec = {"spec": command("hang too"), "name": "same"}
        answer = await world.scheduler.post("/api/v1/jobs", json=spec, headers=bearer("owner", workspace="lab"))
        assert answer.status_code == 201, answer.text
        assert await eventually(lambda: text("lab")) == "runs hang too\n"
        assert await text() == "runs hang\n"
