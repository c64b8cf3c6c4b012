"""Names: what is known of an asset apart from its versions; archiving and deleting all of it; single tags."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_testing.conditions import eventually

BASE = "/api/v1/models/flight-delay"


async def events_of(api: httpx.AsyncClient, subject: str, count: int) -> list[dict[str, Any]]:
    """The subject's events, oldest first, once there are so many."""

    async def logged() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await api.get("/api/v1/events", params={"subject": subject})).json()["items"]
        return sorted(items, key=lambda item: item["sequence"]) if len(items) >= count else []

    return await eventually(logged)


async def test_a_name_is_made_described_and_found_without_a_version(api: httpx.AsyncClient) -> None:
    made = await api.post(BASE, json={"description": "delays", "tags": {"team": "ops"}})
    assert made.status_code == 201, made.text
    assert made.json()["latest"] is None
    again = await api.post(BASE, json={})
    assert (again.status_code, again.json()["code"]) == (409, "asset_exists")
    changed = await api.patch(BASE, json={"set_tags": {"tier": "gold"}, "remove_tags": ["team"]})
    assert changed.json()["tags"] == {"tier": "gold"}
    assert changed.json()["description"] == "delays"
    await register_outside(api, "flight-delay")
    assert (await api.get(BASE)).json()["latest"] == "1"
    found = await api.get("/api/v1/assets", params={"kind": "models", "search": "tier=gold name:flight-* delay"})
    assert [asset["name"] for asset in found.json()["items"]] == ["flight-delay"]
    assert (await api.get("/api/v1/assets", params={"kind": "data"})).json()["items"] == []
    wrong = await api.get("/api/v1/assets", params={"kind": "models", "search": "stage:Production"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "search_invalid")
    events = await events_of(api, "models/flight-delay", 2)
    assert [event["type"] for event in events] == ["model.updated", "model.updated"]
    assert events[1]["data"]["before"] == {"tags": {"team": "ops"}}
    assert events[1]["data"]["after"] == {"tags": {"tier": "gold"}}


async def test_names_are_paged_in_every_order(api: httpx.AsyncClient) -> None:
    for name in ("b", "a", "d", "c"):
        await register_outside(api, name)
    await api.patch("/api/v1/models/b", json={"description": "touched"})
    for sort, expected in {
        "name": "abcd",
        "-name": "dcba",
        "updated_at": "adcb",
        "-updated_at": "bcda",
    }.items():
        seen, cursor = "", None
        while True:
            params = {"kind": "models", "sort": sort, "limit": "1"} | ({"cursor": cursor} if cursor else {})
            page = (await api.get("/api/v1/assets", params=params)).json()
            seen += "".join(asset["name"] for asset in page["items"])
            if (cursor := page["next"]) is None:
                break
        assert seen == expected


async def test_all_versions_are_archived_and_come_back(api: httpx.AsyncClient) -> None:
    for _ in range(3):
        await register_outside(api, "flight-delay")
    await api.post(f"{BASE}/versions/2/archive")
    assert (await api.post(f"{BASE}/archive")).json() == {"versions": ["1", "3"]}
    assert (await api.get("/api/v1/models")).json()["items"] == []
    assert (await api.get(f"{BASE}/labels/latest")).status_code == 404
    assert (await api.get(f"{BASE}/versions/1")).json()["archived"] is True
    assert (await api.post(f"{BASE}/archive")).json() == {"versions": []}
    assert (await api.post(f"{BASE}/restore")).json() == {"versions": ["1", "2", "3"]}
    assert (await api.get(f"{BASE}/labels/latest")).json()["version"] == "3"
    archived = await events_of(api, f"{BASE.removeprefix('/api/v1/')}/versions/3", 3)
    assert [event["data"].get("after") for event in archived[1:]] == [{"archived": True}, {"archived": False}]


async def test_a_deleted_name_goes_on_counting_where_it_was(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        await register_outside(api, "flight-delay")
    assert (await api.delete(BASE)).status_code == 204
    assert (await api.get(BASE)).status_code == 404
    assert (await api.get(f"{BASE}/versions")).status_code == 404
    assert (await api.get("/api/v1/assets", params={"kind": "models"})).json()["items"] == []
    assert (await api.delete(BASE)).status_code == 404
    assert (await register_outside(api, "flight-delay"))["version"] == "3"


async def test_single_tags_of_a_version_at_the_same_time(api: httpx.AsyncClient) -> None:
    await register_outside(api, "flight-delay")
    answers = await asyncio.gather(
        *(api.patch(f"{BASE}/versions/1", json={"set_tags": {f"tag{number}": "x"}}) for number in range(8))
    )
    assert {answer.status_code for answer in answers} == {200}
    found = (await api.get(f"{BASE}/versions/1")).json()["tags"]
    assert found == {f"tag{number}": "x" for number in range(8)}
    removed = await api.patch(f"{BASE}/versions/1", json={"remove_tags": ["tag0", "nothing"]})
    assert "tag0" not in removed.json()["tags"]


async def test_properties_are_only_added_to(api: httpx.AsyncClient) -> None:
    await register_outside(api, "flight-delay")
    path = f"{BASE}/versions/1"
    assert (await api.patch(path, json={"properties": {"run": "1"}})).json()["properties"] == {"run": "1"}
    assert (await api.patch(path, json={"properties": {"run": "1", "rows": "7"}})).status_code == 200
    fixed = await api.patch(path, json={"properties": {"run": "2"}})
    assert (fixed.status_code, fixed.json()["code"], fixed.json()["path"]) == (409, "property_set", "properties.run")


async def test_a_change_that_changes_nothing_is_no_event(api: httpx.AsyncClient) -> None:
    await register_outside(api, "flight-delay")
    for _ in range(2):
        await api.patch(f"{BASE}/versions/1", json={"tags": {"a": "1"}, "stage": "Production"})
        await api.put(f"{BASE}/aliases/champion", json={"version": "1"})
    await api.delete(f"{BASE}/versions/1")
    events = await events_of(api, "models/flight-delay/versions/1", 4)
    assert [event["type"] for event in events] == [
        "model.registered",
        "model.updated",
        "model.alias_moved",
        "model.deleted",
    ]
    assert events[1]["data"]["before"] == {"tags": {}, "stage": None}
    assert events[1]["data"]["after"] == {"tags": {"a": "1"}, "stage": "Production"}
    assert events[3]["data"]["before"]["aliases"] == ["champion"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("data", {"name": "x", "type": "uri_file", "path": "wasbs://c@a.blob.core.windows.net/a.csv"}),
        ("environments", {"name": "x", "image": "python:3.11"}),
        ("components", {"name": "x", "type": "command", "command": "true", "environment": "azureml:x:1"}),
    ],
)
async def test_every_kind_tells_of_its_changes(api: httpx.AsyncClient, kind: str, spec: dict[str, Any]) -> None:
    answer = await api.post(f"/api/v1/{kind}", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    path = f"/api/v1/{kind}/x"
    await api.patch(f"{path}/versions/1", json={"set_tags": {"a": "1"}})
    await api.put(f"{path}/aliases/good", json={"version": "1"})
    await api.post(f"{path}/versions/1/archive")
    assert (await api.delete(f"{path}/versions/1")).status_code == 204
    events = await events_of(api, f"{kind}/x/versions/1", 5)
    entity = {"data": "data", "environments": "environment", "components": "component"}[kind]
    said = [event["type"] for event in events if not event["type"].endswith("profiled")]
    assert said == [f"{entity}.{verb}" for verb in ("registered", "updated", "alias_moved", "archived", "deleted")]
