"""Workspaces are closed to one another; shared registries are open to all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_platform import identity, trees
from modelyard_platform.cause import Identity
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from modelyard_testing.identities import KEY


def within(workspace: str, role: str = "owner") -> dict[str, str]:
    who = Identity(actor="user:eve", role=role, workspace=workspace)  # type: ignore[arg-type]
    return {"Authorization": f"Bearer {identity.sign(KEY, who, issuer='test')}"}


async def test_a_workspace_comes_with_its_first_owner(
    api: httpx.AsyncClient, as_role: Callable[[str], dict[str, str]]
) -> None:
    made = await api.post("/api/v1/workspaces", json={"name": "lab", "description": "research"})
    assert made.status_code == 201, made.text
    verify = {"token": made.json()["token"]}
    who = await api.post("/internal/v1/tokens/verify", json=verify, headers=as_role("service"))
    assert who.json() == {"actor": "user:owner", "role": "owner", "workspace": "lab"}
    assert (await api.post("/api/v1/workspaces", json={"name": "lab"})).status_code == 409
    assert [item["name"] for item in (await api.get("/api/v1/workspaces")).json()["items"]] == ["default", "lab"]

    lab = within("lab")
    assert [item["name"] for item in (await api.get("/api/v1/workspaces", headers=lab)).json()["items"]] == ["lab"]
    assert (await api.get("/api/v1/workspaces/default", headers=lab)).status_code == 404
    assert (await api.post("/api/v1/workspaces", json={"name": "x"}, headers=lab)).status_code == 403
    assert (await api.post("/api/v1/workspaces", json={"name": "x"}, headers=as_role("deployer"))).status_code == 403

    await api.post("/api/v1/models", json={"spec": {"name": "m", "path": "https://example.com/m"}}, headers=lab)
    assert (await api.delete("/api/v1/workspaces/lab")).json()["code"] == "workspace_in_use"
    await api.delete("/api/v1/models/m", headers=lab)
    assert (await api.delete("/api/v1/workspaces/lab")).status_code == 204
    assert (await api.post("/internal/v1/tokens/verify", json=verify, headers=as_role("service"))).status_code == 401
    assert (await api.delete("/api/v1/workspaces/default")).status_code == 412
    assert (await api.post("/api/v1/registries", json={"name": "company"})).status_code == 201
    assert (await api.delete("/api/v1/registries/company")).status_code == 204

    async def told() -> dict[str, list[Any]]:
        found = {}
        for subject in ("workspaces/lab", "registries/company"):
            items = (await api.get("/api/v1/audit", params={"subject": subject})).json()["items"]
            found[subject] = [(item["type"], (item["before"] or {}).get("description")) for item in items]
        return found if all(len(changes) == 2 for changes in found.values()) else {}

    assert await eventually(told) == {
        "workspaces/lab": [("workspace.deleted", "research"), ("workspace.created", None)],
        "registries/company": [("registry.deleted", ""), ("registry.created", None)],
    }


@pytest.mark.parametrize("name", ["a.b", "a/b", "", "ü", "a" * 64, "registries", "a b", "a>", "*", "a\n"])
async def test_a_workspace_is_a_part_of_subjects(api: httpx.AsyncClient, name: str) -> None:
    assert (await api.post("/api/v1/workspaces", json={"name": name})).status_code == 400
    assert (await api.post("/api/v1/registries", json={"name": name})).status_code == 400


async def test_no_route_reaches_into_another_workspace(api: httpx.AsyncClient) -> None:
    await register_outside(api, "secret")
    await api.put("/api/v1/models/secret/aliases/champion", json={"version": "1"})
    await eventually(lambda: _events(api, {}))
    lab = within("lab")
    name, version = "/api/v1/models/secret", "/api/v1/models/secret/versions/1"
    for method, path, body in (
        ("GET", name, None),
        ("PATCH", name, {"description": "mine"}),
        ("DELETE", name, None),
        ("POST", f"{name}/archive", None),
        ("POST", f"{name}/restore", None),
        ("GET", f"{name}/versions", None),
        ("GET", f"{name}/labels/latest", None),
        ("GET", f"{name}/labels/champion", None),
        ("PUT", f"{name}/aliases/champion", {"version": "1"}),
        ("DELETE", f"{name}/aliases/champion", None),
        ("GET", version, None),
        ("GET", f"{version}/tree", None),
        ("PATCH", version, {"description": "mine"}),
        ("DELETE", version, None),
        ("POST", f"{version}/archive", None),
        ("POST", f"{version}/restore", None),
        ("POST", f"{version}/share", {"registry": "company"}),
    ):
        answer = await api.request(method, path, json=body, headers=lab)
        assert answer.status_code == 404, (method, path, answer.text)
    for path in ("models", "models?search=name:s*", "models?search=alias:champion", "assets?kind=models", "events"):
        assert (await api.get(f"/api/v1/{path}", headers=lab)).json()["items"] == [], path
    before = (await api.get(version)).json()
    assert (before["description"], before["archived"], before["aliases"]) == ("", False, ["champion"])
    # The same name there is another one, and the same idempotency key another request.
    spec = {"spec": {"name": "secret", "path": "https://example.com/other"}}
    made = await api.post("/api/v1/models", json=spec, headers=lab | {"Idempotency-Key": "k"})
    assert made.json()["version"] == "1"
    assert (await api.get(version)).json() == before


async def _events(api: httpx.AsyncClient, headers: dict[str, str]) -> list[Any]:
    items: list[Any] = (await api.get("/api/v1/events", headers=headers)).json()["items"]
    return items


async def test_a_shared_version_is_used_from_another_workspace(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    tree = trees.upload(store, tmp_path)
    spec = {"name": "flight-delay", "path": f"{trees.SCHEME}{tree.digest}", "tags": {"team": "ops"}}
    await api.post("/api/v1/models", json={"spec": spec})
    share = "/api/v1/models/flight-delay/versions/1/share"
    missing = await api.post(share, json={"registry": "company"})
    assert (missing.status_code, missing.json()["code"]) == (404, "registry_not_found")
    assert (await api.post("/api/v1/registries", json={"name": "company"})).status_code == 201
    assert (await api.post("/api/v1/registries", json={"name": "azureml"})).status_code == 400
    shared = await api.post(share, json={"registry": "company"}, headers={"Idempotency-Key": "s"})
    assert shared.status_code == 201, shared.text
    assert (
        await api.post(share, json={"registry": "company"}, headers={"Idempotency-Key": "s"})
    ).json() == shared.json()
    assert (await api.post(share, json={"registry": "company"})).json()["code"] == "version_exists"
    renamed = await api.post(share, json={"registry": "company", "name": "delay", "version": "7"})
    assert (renamed.json()["name"], renamed.json()["version"]) == ("delay", "7")

    lab = within("lab", "reader")
    there = "/api/v1/registries/company"
    seen = await api.get(f"{there}/models/flight-delay/versions/1", headers=lab)
    assert seen.json()["tree"] == tree.digest
    assert seen.json()["properties"]["sharedFrom"] == "models/flight-delay/versions/1"
    assert seen.json()["properties"]["sharedFromWorkspace"] == "default"
    assert (await api.get(f"{there}/models/delay/labels/latest", headers=lab)).json()["version"] == "7"
    listed = await api.get(f"{there}/models", params={"search": "team=ops"}, headers=lab)
    assert [item["name"] for item in listed.json()["items"]] == ["delay", "flight-delay"]
    files = (await api.get(f"{there}/models/delay/versions/7/tree", headers=lab)).json()["files"]
    assert [file["path"] for file in files] == ["model.bin"]
    assert (await api.get(f"{there}/assets", params={"kind": "models"}, headers=lab)).json()["items"][0][
        "name"
    ] == "delay"
    assert (await api.get("/api/v1/registries/other/models", headers=lab)).status_code == 404
    assert (await api.get("/api/v1/models", headers=lab)).json()["items"] == []

    gone = f"{there}/models/delay/versions/7"
    assert (await api.delete(gone, headers=lab)).status_code == 403
    assert (await api.delete(gone, headers=within("lab"))).status_code == 403
    assert (await api.delete("/api/v1/registries/company")).json()["code"] == "registry_in_use"
    assert (await api.delete(gone)).status_code == 204
    assert (await api.get("/api/v1/models/flight-delay/versions/1")).status_code == 200
