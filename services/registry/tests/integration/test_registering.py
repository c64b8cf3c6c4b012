"""Registering: numbers, anonymous versions, bad input."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_platform import trees
from modelyard_platform.database import connect
from modelyard_platform.objects import ObjectStore

OUTSIDE = "https://example.com/model"


async def test_sixteen_clients_get_numbers_without_gap_or_clash(settings: Any, api: httpx.AsyncClient) -> None:
    async def client(number: int) -> list[str]:
        versions = []
        for turn in range(8):
            spec = {"name": "m", "path": OUTSIDE}
            if turn == 4:
                # An explicit one in between, that two clients want: one gets it.
                answer = await api.post("/api/v1/models", json={"spec": spec | {"version": f"rc{number // 2}"}})
                assert answer.status_code in (201, 409), answer.text
                continue
            answer = await api.post("/api/v1/models", json={"spec": spec})
            assert answer.status_code == 201, answer.text
            versions.append(answer.json()["version"])
        return versions

    got = await asyncio.gather(*(client(number) for number in range(16)))
    numbers = sorted(int(version) for versions in got for version in versions)
    assert numbers == list(range(1, 16 * 7 + 1))
    everything = (await api.get("/api/v1/models/m/versions", params={"limit": 1000})).json()["items"]
    assert sorted(item["version"] for item in everything if item["version"].startswith("rc")) == sorted(
        f"rc{number}" for number in range(8)
    )


async def test_explicit_numbers_are_counted_on_from(api: httpx.AsyncClient) -> None:
    for asked, given in ((None, "1"), ("7", "7"), (None, "8"), ("3", "3"), (None, "9"), ("1.2.0-rc1", "1.2.0-rc1")):
        spec = {"name": "m", "path": OUTSIDE} | ({"version": asked} if asked else {})
        answer = await api.post("/api/v1/models", json={"spec": spec})
        assert answer.json()["version"] == given
    again = await api.post("/api/v1/models", json={"spec": {"name": "m", "path": OUTSIDE, "version": "7"}})
    assert (again.status_code, again.json()["code"]) == (409, "version_exists")
    assert (await register_outside(api, "m"))["version"] == "10"


async def test_anonymous_versions_are_their_content(api: httpx.AsyncClient) -> None:
    spec: dict[str, Any] = {"image": "python:3.11"}
    answers = await asyncio.gather(
        *(api.post("/api/v1/environments", json={"spec": spec | {"description": f"{n}"}}) for n in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    [version] = {answer.json()["version"] for answer in answers}
    other = await api.post("/api/v1/environments", json={"spec": spec | {"image": "python:3.12"}})
    assert other.json()["version"] != version
    name = other.json()["name"]
    assert (await api.get(f"/api/v1/environments/{name}/versions/{version}")).json()["spec"]["image"] == "python:3.11"
    assert (await api.get("/api/v1/environments")).json()["items"] == []
    assert (await api.get("/api/v1/assets", params={"kind": "environments"})).json()["items"] == []
    asked = await api.get("/api/v1/environments", params={"search": f"name:{name}", "versions": "all"})
    assert {item["version"] for item in asked.json()["items"]} == {version, other.json()["version"]}
    named = await api.post("/api/v1/environments", json={"spec": spec | {"name": name}})
    assert named.status_code == 400


@pytest.mark.parametrize("name", ["a/b", "../a", "ü", "a" * 1000, "a b", "a\x00b", "a\nb", "\ud800", "-a"])
async def test_a_bad_name_is_a_clear_answer_and_leaves_nothing(
    api: httpx.AsyncClient, database: str, name: str
) -> None:
    import json

    body = json.dumps({"spec": {"name": name, "path": OUTSIDE}})
    answer = await api.post("/api/v1/models", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert "name" in answer.json()["detail"]
    connection = await connect(database)
    assert await connection.fetchval("select count(*) from assets") == 0
    assert await connection.fetchval("select count(*) from outbox") == 0
    await connection.close()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"tags": {"a": "x" * 300_000}}, "tags have 300001 bytes"),
        ({"tags": {f"t{n}": "" for n in range(1001)}}, "1001 tags are too many"),
        ({"tags": {"a" * 257: "x"}}, "1 to 256 printable"),
        ({"tags": {"a\x07b": "x"}}, "printable"),
        ({"tags": {"a": "x\x00"}}, "U+0000"),
        ({"properties": {"a": "\x00"}}, "U+0000"),
        ({"description": "a\x00b"}, "U+0000"),
        ({"version": "1/2"}, "version"),
        ({"stage": "\x00"}, "U+0000"),
    ],
)
async def test_what_cannot_be_kept_is_refused_saying_where(
    api: httpx.AsyncClient, keys: dict[str, Any], said: str
) -> None:
    answer = await api.post("/api/v1/models", json={"spec": {"name": "m", "path": OUTSIDE} | keys})
    assert answer.status_code == 400, answer.text
    assert said in answer.json()["detail"]
    assert (await api.get("/api/v1/models")).json()["items"] == []


async def test_addresses_with_anything_in_them_are_refused(api: httpx.AsyncClient) -> None:
    for name in ("a%00b", "%ff", "ü", "a" * 300, "%2e%2e", "a%20b"):
        for path in (f"/api/v1/models/{name}", f"/api/v1/models/m/versions/{name}", f"/api/v1/models/m/labels/{name}"):
            answer = await api.get(path)
            assert answer.status_code in (400, 404), (path, answer.status_code)
    assert (await api.get("/api/v1/events", params={"subject": "a\x00b"})).status_code == 400


async def test_a_tree_is_what_its_digest_names(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    """Otherwise the version would have the digest of a document that nobody has stored."""
    (tmp_path / "a.bin").write_bytes(b"a tree")
    document = trees.upload(store, tmp_path).document()
    digest = store.put_bytes(document.replace(b":", b": "))
    spec = {"name": "odd", "path": f"{trees.SCHEME}{digest}"}
    refused = await api.post("/api/v1/models", json={"spec": spec})
    assert (refused.status_code, refused.json()["code"]) == (400, "tree_invalid"), refused.text
