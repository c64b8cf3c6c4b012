"""What was deleted stays deleted: its version is given to nothing else."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_platform.database import connect
from modelyard_testing.conditions import eventually
from registry.domain.assets import ANONYMOUS

BASE = "/api/v1/models/delay"
SPECS: dict[str, dict[str, Any]] = {
    "models": {"name": "delay", "path": "https://example.com/model"},
    "data": {"name": "delay", "type": "uri_file", "path": "wasbs://rows@example.blob.core.windows.net/rows.csv"},
    "environments": {"name": "delay", "image": "python:3.11"},
    "components": {"name": "delay", "type": "command", "command": "true", "environment": {"image": "python:3.11"}},
}


async def refused(api: httpx.AsyncClient, kind: str, version: str) -> dict[str, Any]:
    """Registering this version explicitly is a conflict; the problem."""
    answer = await api.post(f"/api/v1/{kind}", json={"spec": SPECS[kind] | {"version": version}})
    assert (answer.status_code, answer.json()["code"]) == (409, "version_deleted"), answer.text
    problem: dict[str, Any] = answer.json()
    return problem


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("whole", [False, True], ids=["version", "name"])
async def test_a_deleted_version_is_not_given_again(api: httpx.AsyncClient, kind: str, whole: bool) -> None:
    for version in (None, "1.0-rc", "7"):
        spec = SPECS[kind] | ({"version": version} if version else {})
        made = await api.post(f"/api/v1/{kind}", json={"spec": spec})
        assert made.status_code == 201, made.text
    if whole:
        assert (await api.delete(f"/api/v1/{kind}/delay")).status_code == 204
    else:
        for version in ("1", "1.0-rc", "7"):
            assert (await api.delete(f"/api/v1/{kind}/delay/versions/{version}")).status_code == 204
    for version in ("1", "1.0-rc", "7"):
        problem = await refused(api, kind, version)
        assert problem["deleted_by"] == "user:ada"
        assert f"{kind} delay:{version} was deleted on {problem['deleted_at'][:10]}" in problem["detail"]
        assert "user:ada" in problem["detail"]
        assert "leave the version out" in problem["detail"]
    after = await api.post(f"/api/v1/{kind}", json={"spec": SPECS[kind]})
    assert after.json()["version"] == "8"
    assert (await api.post(f"/api/v1/{kind}", json={"spec": SPECS[kind] | {"version": "9"}})).status_code == 201
    assert (await api.get(f"/api/v1/{kind}/delay/versions/1")).status_code == 404


async def test_what_could_not_be_registered_leaves_nothing(api: httpx.AsyncClient) -> None:
    await register_outside(api, "delay")
    await api.delete(BASE)
    await refused(api, "models", "1")
    assert (await api.get(BASE)).status_code == 404
    assert (await api.get("/api/v1/models")).json()["items"] == []


async def test_the_same_content_without_a_name_may_come_back(api: httpx.AsyncClient) -> None:
    spec = {"spec": {"path": "https://example.com/model"}}
    first = (await api.post("/api/v1/models", json=spec)).json()
    assert (await api.delete(f"/api/v1/models/{ANONYMOUS}/versions/{first['version']}")).status_code == 204
    again = await api.post("/api/v1/models", json=spec)
    assert (again.status_code, again.json()["version"]) == (201, first["version"])


async def test_another_workspaces_deletions_are_its_own(api: httpx.AsyncClient) -> None:
    await register_outside(api, "delay")
    await api.post("/api/v1/registries", json={"name": "company"})
    assert (await api.post(f"{BASE}/versions/1/share", json={"registry": "company"})).status_code == 201
    assert (await api.delete(f"{BASE}/versions/1")).status_code == 204
    shared = "/api/v1/registries/company/models/delay/versions/1"
    assert (await api.get(shared)).status_code == 200
    assert (await api.delete(shared)).status_code == 204
    await register_outside(api, "delay")
    answer = await api.post(f"{BASE}/versions/2/share", json={"registry": "company", "version": "1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "version_deleted"), answer.text
    assert (await api.post(f"{BASE}/versions/2/share", json={"registry": "company"})).status_code == 201


async def test_whoever_registers_while_it_is_deleted_is_told(api: httpx.AsyncClient) -> None:
    spec = {"spec": SPECS["models"] | {"version": "1"}}
    for round_ in range(10):
        name = f"delay-{round_}"
        await register_outside(api, name)
        again = {"spec": spec["spec"] | {"name": name}}
        gone, *told = await asyncio.gather(
            api.delete(f"/api/v1/models/{name}/versions/1"),
            *(api.post("/api/v1/models", json=again) for _ in range(3)),
        )
        assert gone.status_code == 204
        assert {answer.status_code for answer in told} == {409}
        assert (await api.get(f"/api/v1/models/{name}/versions/1")).status_code == 404


async def test_what_was_deleted_before_this_was_kept_is_found_in_the_log(api: httpx.AsyncClient, database: str) -> None:
    for name in ("delay", "back"):
        await register_outside(api, name)
        await api.delete(f"/api/v1/models/{name}/versions/1")
    anonymous = (await api.post("/api/v1/models", json={"spec": {"path": "https://example.com/model"}})).json()[
        "version"
    ]
    await api.delete(f"/api/v1/models/{ANONYMOUS}/versions/{anonymous}")

    async def logged() -> bool:
        return len((await api.get("/api/v1/events", params={"type": "model.deleted"})).json()["items"]) == 3

    await eventually(logged)
    migration = files("registry").joinpath("migrations/0007_pre_scopes.sql").read_text()
    connection = await connect(database)
    try:
        kept = await connection.fetch("delete from deleted_versions returning name, version, deleted_by")
        spec = {"spec": SPECS["models"] | {"name": "back", "version": "1"}}
        assert (await api.post("/api/v1/models", json=spec)).status_code == 201  # as it was possible then
        await connection.execute(migration[migration.index("insert into") :].split(";")[0])
        found = await connection.fetch("select name, version, deleted_by from deleted_versions")
    finally:
        await connection.close()
    assert sorted(row["name"] for row in kept) == ["back", "delay"]
    assert found == [row for row in kept if row["name"] == "delay"]
