"""What is said of jobs, and whether they are listed."""

from __future__ import annotations

from typing import Any

import pytest
from services.scheduler.tests.support import World, command, events_of

from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer


async def listed(world: World, **params: str) -> list[str]:
    return [job["name"] for job in (await world.scheduler.get("/api/v1/jobs", params=params)).json()["items"]]


async def patch(world: World, name: str, **change: Any) -> dict[str, Any]:
    headers = {"Modelyard-Reason": "tidy up"}
    answer = await world.scheduler.patch(f"/api/v1/jobs/{name}", json=change, headers=headers)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_what_is_said_of_a_job_changes_and_is_told(world: World) -> None:
    submitted = await world.submit(command("run", inputs={}, tags={"team": "a", "kept": "1"}), name="j")
    assert submitted["archived"] is False
    changed = await patch(
        world, "j", display_name="first try", experiment_name="delays", description="d", tags={"kept": "1", "new": "2"}
    )
    assert (changed["display_name"], changed["experiment_name"], changed["description"]) == ("first try", "delays", "d")
    assert changed["tags"] == {"kept": "1", "new": "2"}
    assert changed["status"] == (await world.job("j"))["status"]
    assert (await world.job("j"))["spec"]["tags"] == {"team": "a", "kept": "1"}  # what was submitted stays
    await patch(world, "j", display_name="first try")  # nothing new is nothing to tell
    await patch(world, "j", description="")

    async def told() -> list[Any]:
        events = [one for one in await events_of(world.nats_url) if one.type.endswith("job.updated.v1")]
        return events if len(events) == 2 else []

    first, second = await eventually(told)
    assert first.data.subject == "jobs/j"
    assert (first.actor, first.reason) == ("user:ada", "tidy up")
    assert first.data.before == {
        "display_name": None,
        "experiment_name": None,
        "description": None,
        "tags": {"team": "a"},
    }
    assert first.data.after == {
        "display_name": "first try",
        "experiment_name": "delays",
        "description": "d",
        "tags": {"new": "2"},
    }
    assert (second.data.before, second.data.after) == ({"description": "d"}, {"description": None})

    async def audited() -> list[Any]:
        answer = await world.registry.get("/api/v1/audit", params={"subject": "jobs/j", "type": "job.updated"})
        items: list[Any] = answer.json()["items"]
        return items if len(items) == 2 else []

    assert (await eventually(audited))[1]["after"]["display_name"] == "first try"


async def test_the_runs_of_a_job_follow_it(world: World) -> None:
    async with world.runner().running():
        await world.submit(command("run", inputs={}), name="j")
        await world.ended("j")
    [step] = (await world.scheduler.get("/api/v1/jobs/j/steps")).json()["items"]
    await patch(world, "j", display_name="best", experiment_name="delays")
    run = (await world.scheduler.get(f"/api/v1/runs/{step['id']}")).json()
    [delays] = (await world.scheduler.get("/api/v1/experiments", params={"name": "delays"})).json()["items"]
    assert (run["name"], run["experiment"]) == ("best", delays["id"])
    assert await listed(world, experiment="delays") == ["j"]


async def test_archived_jobs_are_not_listed(world: World) -> None:
    async with world.runner().running():
        for name in ("a", "b"):
            await world.submit(command("run", inputs={}), name=name)
            await world.ended(name)
    assert (await patch(world, "a", archived=True))["archived"] is True
    assert await listed(world) == ["b"]
    assert await listed(world, archived="true") == ["b", "a"]
    assert await listed(world, archived="only") == ["a"]
    assert (await world.job("a"))["archived"] is True
    await patch(world, "a", archived=False)
    assert await listed(world) == ["b", "a"]


async def test_a_job_that_goes_on_is_not_archived(world: World) -> None:
    await world.submit(command("run", inputs={}), name="j")
    refused = await world.scheduler.patch("/api/v1/jobs/j", json={"archived": True, "description": "d"})
    assert (refused.status_code, refused.json()["code"]) == (409, "job_running")
    assert (await world.job("j"))["description"] is None
    await world.scheduler.post("/api/v1/jobs/j/cancel")
    await patch(world, "j", archived=True)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"status": "completed"}, "status"),
        ({"tags": {"a": 1}}, "tags.a"),
        ({"tags": {"": "x"}}, "tags"),
        ({"display_name": "a\0b"}, "display_name"),
        ({"archived": "perhaps"}, "archived"),
    ],
)
async def test_a_wrong_change_is_refused(world: World, change: dict[str, Any], path: str) -> None:
    await world.submit(command("run", inputs={}), name="j")
    answer = await world.scheduler.patch("/api/v1/jobs/j", json=change)
    assert answer.status_code == 400, answer.text
    assert path in answer.text
    assert (await world.scheduler.patch("/api/v1/jobs/none", json={})).status_code == 404
    reader = bearer("reader")
    assert (await world.scheduler.patch("/api/v1/jobs/j", json={}, headers=reader)).status_code == 403
