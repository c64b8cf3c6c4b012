"""Shared registries: read by every workspace, written by those that were let in, and whole in themselves."""

from __future__ import annotations

from typing import Any

import httpx
from services.registry.tests.integration.test_scopes import within
from services.registry.tests.support import register_outside

from modelyard_contracts.serving import DeploymentReady, DeploymentRequested, EndpointTrafficChanged
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import create_pool, transaction
from modelyard_testing.conditions import eventually

COMPANY = "/api/v1/registries/company"


async def share(api: httpx.AsyncClient, workspace: str, name: str, role: str = "deployer") -> httpx.Response:
    """Register a model in the workspace and share it."""
    spec = {"spec": {"name": name, "path": "https://example.com/model"}}
    made = await api.post("/api/v1/models", json=spec, headers=within(workspace))
    assert made.status_code == 201, made.text
    path = f"/api/v1/models/{name}/versions/1/share"
    return await api.post(path, json={"registry": "company"}, headers=within(workspace, role))


async def test_only_those_who_were_let_in_share_into_a_registry(api: httpx.AsyncClient) -> None:
    for workspace in ("lab", "ops"):
        assert (await api.post("/api/v1/workspaces", json={"name": workspace})).status_code == 201
    made = await api.post("/api/v1/registries", json={"name": "company", "writers": ["ops"]})
    assert (made.status_code, made.json()["writers"]) == (201, ["default", "ops"])
    assert (await share(api, "default", "a")).status_code == 201
    assert (await share(api, "ops", "b")).status_code == 201
    assert (await share(api, "ops", "b2", role="contributor")).status_code == 403

    stranger = await share(api, "lab", "c")
    assert (stranger.status_code, stranger.json()["code"]) == (403, "registry_not_writable"), stranger.text
    assert "modelyard registry update --name company --add-writer lab" in stranger.json()["detail"]
    assert "ops" not in stranger.text
    nowhere = await api.post(
        "/api/v1/models/c/versions/1/share", json={"registry": "nowhere"}, headers=within("lab", "deployer")
    )
    assert nowhere.status_code == 404

    let_in = await api.patch(COMPANY, json={"add_writers": ["lab"], "remove_writers": ["ops"], "description": "all"})
    assert (let_in.status_code, let_in.json()["writers"]) == (200, ["default", "lab"]), let_in.text
    assert let_in.json()["description"] == "all"
    assert (await share(api, "lab", "d")).status_code == 201
    assert (await share(api, "ops", "e")).status_code == 403
    listed = await api.get(f"{COMPANY}/models", headers=within("ops", "reader"))
    assert [item["name"] for item in listed.json()["items"]] == ["a", "b", "d"]

    async def told() -> Any:
        found = (await api.get("/api/v1/audit", params={"type": "registry.updated"})).json()["items"]
        return [(item["before"], item["after"]) for item in found]

    assert await eventually(told) == [
        ({"description": "", "writers": ["default", "ops"]}, {"description": "all", "writers": ["default", "lab"]})
    ]


async def test_who_may_let_in_and_whom(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    await api.post("/api/v1/registries", json={"name": "company"})
    for headers in (within("lab"), within("default", "deployer")):
        assert (await api.patch(COMPANY, json={"add_writers": ["lab"]}, headers=headers)).status_code == 403
    unknown = await api.patch(COMPANY, json={"add_writers": ["labs"]})
    assert (unknown.status_code, unknown.json()["path"]) == (400, "add_writers")
    assert "default, lab" in unknown.json()["detail"]
    assert (await api.post("/api/v1/registries", json={"name": "other", "writers": ["labs"]})).status_code == 400
    misspelt = await api.patch(COMPANY, json={"remove_writers": ["opps"]})
    assert (misspelt.status_code, misspelt.json()["path"]) == (400, "remove_writers")
    assert "there is no workspace 'opps'" in misspelt.json()["detail"]
    stays = await api.patch(COMPANY, json={"remove_writers": ["default"]})
    assert (stays.status_code, stays.json()["path"]) == (400, "remove_writers")
    assert (await api.patch("/api/v1/registries/nowhere", json={})).status_code == 404
    assert (await api.get(COMPANY)).json()["writers"] == ["default"]


async def test_a_workspace_sees_of_the_writers_only_itself(api: httpx.AsyncClient) -> None:
    for workspace in ("lab", "ops"):
        await api.post("/api/v1/workspaces", json={"name": workspace})
    await api.post("/api/v1/registries", json={"name": "company", "writers": ["lab"]})
    for workspace, seen in (("default", ["default", "lab"]), ("lab", ["lab"]), ("ops", [])):
        headers = within(workspace, "reader")
        assert (await api.get(COMPANY, headers=headers)).json()["writers"] == seen
        listed = (await api.get("/api/v1/registries", headers=headers)).json()["items"]
        assert [item["writers"] for item in listed] == [seen]


async def test_a_new_workspace_of_an_old_name_is_not_let_in(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    await api.post("/api/v1/registries", json={"name": "company", "writers": ["lab"]})
    assert (await api.delete("/api/v1/workspaces/lab")).status_code == 204
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    assert (await api.get(COMPANY)).json()["writers"] == ["default"]
    assert (await share(api, "lab", "a")).status_code == 403


async def test_what_is_shared_stands_on_nothing_of_its_workspace(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/registries", json={"name": "company"})
    await api.post("/api/v1/environments", json={"spec": {"name": "py", "image": "python:3.11"}})
    component: dict[str, Any] = {"name": "train", "type": "command", "command": "true"}
    for environment in ("azureml:py:1", "azureml:py@latest"):
        made = await api.post("/api/v1/components", json={"spec": component | {"environment": environment}})
        assert made.status_code == 201, made.text
        path = f"/api/v1/components/train/versions/{made.json()['version']}/share"
        refused = await api.post(path, json={"registry": "company"})
        assert (refused.status_code, refused.json()["path"]) == (400, "environment"), refused.text
        assert environment in refused.json()["detail"]
        assert "azureml://registries/company/environments/py/versions/" in refused.json()["detail"]
    assert (await api.post("/api/v1/environments/py/versions/1/share", json={"registry": "company"})).status_code == 201
    whole = component | {"environment": "azureml://registries/company/environments/py/versions/1"}
    made = await api.post("/api/v1/components", json={"spec": whole})
    shared = await api.post(
        f"/api/v1/components/train/versions/{made.json()['version']}/share", json={"registry": "company"}
    )
    assert shared.status_code == 201, shared.text
    held = await api.delete(f"{COMPANY}/environments/py/versions/1")
    assert held.status_code == 412
    assert "components/train/versions/3" in held.json()["used_by"]


async def test_what_is_shared_names_no_datastore_of_its_workspace(api: httpx.AsyncClient) -> None:
    """In another workspace a datastore of that name would be another one, or none."""
    await api.post("/api/v1/registries", json={"name": "company"})
    spec = {"name": "lake", "type": "azure_blob", "account_name": "a", "container_name": "c"}
    assert (await api.put("/api/v1/datastores/lake", json={"spec": spec})).status_code == 200
    address = "azureml://datastores/lake/paths/x.csv"
    component = {"name": "train", "type": "command", "command": "true", "environment": "azureml://registries/azureml/environments/py",
                 "inputs": {"rows": {"type": "uri_file", "path": address}}}  # fmt: skip
    assert (await api.post("/api/v1/components", json={"spec": component})).status_code == 201
    refused = await api.post("/api/v1/components/train/versions/1/share", json={"registry": "company"})
    assert (refused.status_code, refused.json()["path"]) == (400, "inputs.rows.path"), refused.text
    assert address in refused.json()["detail"]


async def test_a_registry_in_use_is_not_deleted(api: httpx.AsyncClient) -> None:
    await register_outside(api, "a")
    await api.post("/api/v1/registries", json={"name": "company"})
    await api.post("/api/v1/models/a/versions/1/share", json={"registry": "company"})
    refused = await api.delete(COMPANY)
    assert (refused.status_code, refused.json()["standing"]) == (412, ["models/a"])
    assert "models/a" in refused.json()["detail"]


async def test_what_rests_on_a_shared_version_is_explained_up_to_it_and_no_further(
    api: httpx.AsyncClient, database: str
) -> None:
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    await api.post("/api/v1/registries", json={"name": "company"})
    await register_outside(api, "delay", job="train_1")
    await api.post("/api/v1/models/delay/versions/1/share", json={"registry": "company"})
    blue: dict[str, Any] = {"endpoint": "e", "deployment": "blue", "generation": 1, "model": "company/delay:1"}
    pool = await create_pool(database, service="test")
    async with transaction(pool) as tx:
        cause = Cause(actor="user:eve", correlation_id="story", workspace="lab")
        for data in (
            DeploymentRequested(**blue),
            DeploymentReady(**blue),
            EndpointTrafficChanged(endpoint="e", traffic={"blue": 100}),
        ):
            await outbox.add(tx, "serving", data, cause)
    await pool.close()
    shared = "registries/company/models/delay/versions/1"

    async def known() -> dict[str, Any]:
        answer = await api.get("/api/v1/lineage", params={"node": "endpoint/e"}, headers=within("lab", "reader"))
        found = {node["id"]: node for node in answer.json().get("nodes", [])}
        return found if (found.get(shared) or {}).get("state") else {}

    found = await eventually(known)
    assert (found[shared]["state"], found[shared]["by"], found[shared]["title"]) == (
        "registered",
        "user:ada",
        "company/delay:1",
    )
    assert not any(node.startswith("jobs/") for node in found)
    why = (await api.get("/api/v1/why/endpoint/e", headers=within("lab", "reader"))).json()
    assert (why["chain"][0]["type"], why["chain"][0]["subject"]) == ("model.registered", shared)
    assert (await api.get("/api/v1/why/model/company/delay:1", headers=within("lab", "reader"))).status_code == 200
