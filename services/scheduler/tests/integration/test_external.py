"""Jobs on data that stays outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from services.scheduler.tests.support import World, command, events_of

from modelyard_testing.conditions import eventually
from modelyard_testing.web import Page, WebServer, serving
from scheduler.settings import Settings


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MODELYARD_REGISTRY_EXTERNAL_HOSTS", "127.0.0.1")
    return settings


def job(path: str) -> dict[str, Any]:
    return command(inputs={"rate": 1, "d": {"type": "uri_file", "path": path}})


async def test_data_outside_is_checked_when_a_job_uses_it(world: World, web: WebServer) -> None:
    web.pages["/rows.csv"] = Page(b"x\n1\n", etag='"v1"')
    spec = {"name": "rows", "type": "uri_file", "path": web.url("/rows.csv")}
    assert (await world.registry.post("/api/v1/data", json={"spec": spec})).status_code == 201

    async with world.runner().running() as runner:
        for path in ("azureml:rows@latest", web.url("/rows.csv")):
            submitted = await world.submit(job(path))
            assert (await world.ended(submitted["name"]))["status"] == "completed"
        assert len({order.job for order in runner.orders}) == 2  # delivered at least once each
        for order in runner.orders:
            content = order.inputs["d"].external
            assert content is not None
            assert (content.url, content.etag, content.size) == (web.url("/rows.csv"), '"v1"', 4)

    web.pages["/rows.csv"] = Page(b"x\n2\n", etag='"v2"')
    refused = await world.scheduler.post("/api/v1/jobs", json={"spec": job("azureml:rows:1")})
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["path"]) == (412, "external_changed", "inputs.d.path")
    assert '"v1"' in problem["detail"]
    assert '"v2"' in problem["detail"]


async def test_what_gives_access_to_data_is_in_no_event(world: World, web: WebServer) -> None:
    web.pages["/rows.csv"] = Page(b"x\n1\n", etag='"v1"')
    git = {"repository": "https://ada:hidden@example.com/code.git", "commit": "0" * 40}
    body = {"spec": job(web.url("/rows.csv?sig=hidden")), "git": git}
    assert (await world.scheduler.post("/api/v1/jobs", json=body)).status_code == 201

    async def told() -> list[Any]:
        items: list[Any] = (await world.registry.get("/api/v1/events", params={"type": "job.submitted"})).json()[
            "items"
        ]
        return items

    [event] = await eventually(told)
    assert event["data"]["inputs"]["d"] == web.url("/rows.csv?***")
    assert "hidden" not in str(event)


async def test_addresses_that_may_not_be_read_are_refused(world: World) -> None:
    for path, status, code in (
        ("http://169.254.169.254/latest", 403, "external_forbidden"),
        ("wasbs://c@a.blob.core.windows.net/x", 400, "reference_unreadable"),
    ):
        answer = await world.scheduler.post("/api/v1/jobs", json={"spec": job(path)})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.json()["path"] == "inputs.d.path"


async def test_a_job_reads_from_a_registered_datastore(world: World, web: WebServer) -> None:
    web.pages["/account/flights/rows.csv"] = Page(b"x\n1\n", etag='"v1"')
    spec = {"name": "blobs", "type": "azure_blob", "container_name": "flights", "endpoint": web.url("/account")}
    assert (await world.registry.put("/api/v1/datastores/blobs", json={"spec": spec})).status_code == 200
    long = "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/blobs/paths/rows.csv"
    async with world.runner().running() as runner:
        for path in ("azureml://datastores/blobs/paths/rows.csv", long):
            submitted = await world.submit(job(path))
            assert submitted["inputs"]["d"] == "azureml://datastores/blobs/paths/rows.csv"
            assert (await world.ended(submitted["name"]))["status"] == "completed"
        content = runner.orders[0].inputs["d"].external
    assert content is not None
    assert (content.url, content.etag) == (web.url("/account/flights/rows.csv"), '"v1"')
    [event] = [one for one in await events_of(world.nats_url) if one.data.subject == f"jobs/{submitted['name']}"][:1]
    assert event.data.uses == ["datastores/blobs"]

    async def traced() -> list[str]:
        answer = await world.registry.get("/api/v1/lineage", params={"node": f"job/{submitted['name']}"})
        nodes = answer.json()["nodes"] if answer.status_code == 200 else []
        return [node["kind"] for node in nodes if node["id"] == "datastores/blobs"]

    assert await eventually(traced) == ["datastore"]


async def test_a_datastore_stays_while_a_job_reads_from_it(world: World, web: WebServer) -> None:
    web.pages["/account/flights/rows.csv"] = Page(b"x\n1\n", etag='"v1"')
    spec = {"name": "blobs", "type": "azure_blob", "container_name": "flights", "endpoint": web.url("/account")}
    await world.registry.put("/api/v1/datastores/blobs", json={"spec": spec})
    path = "azureml://datastores/blobs/paths/rows.csv"
    async with world.runner().running():
        running = await world.submit(job(path) | {"command": "hang ${{inputs.d}}"})
        await world.until(running["name"], lambda document: document["status"] == "running")

        async def refused() -> list[str]:
            answer = await world.registry.delete("/api/v1/datastores/blobs")
            return answer.json()["used_by"] if answer.status_code == 412 else []

        assert await eventually(refused) == [f"jobs/{running['name']}"]
        await world.scheduler.post(f"/api/v1/jobs/{running['name']}/cancel")

        async def deleted() -> bool:
            return (await world.registry.delete("/api/v1/datastores/blobs")).status_code == 204

        await eventually(deleted)
    gone = await world.scheduler.post("/api/v1/jobs", json={"spec": job(path)})
    assert (gone.status_code, gone.json()["code"], gone.json()["path"]) == (404, "datastore_not_found", "inputs.d.path")


async def test_the_workspaces_own_store_is_no_input(world: World) -> None:
    answer = await world.scheduler.post(
        "/api/v1/jobs", json={"spec": job("azureml://datastores/workspaceblobstore/paths/a")}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "datastore_built_in"), answer.text
    assert answer.json()["path"] == "inputs.d.path"
    assert "azureml:NAME:VERSION" in answer.json()["detail"]
