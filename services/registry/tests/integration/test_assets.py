"""Models and data, through the API."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import nats

from modelyard_contracts import decode
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually


def model(store: ObjectStore, tmp_path: Path, content: bytes = b"weights") -> dict[str, Any]:
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "model.bin").write_bytes(content)
    tree = trees.upload(store, folder)
    return {"name": "flight-delay", "type": "custom_model", "path": f"{trees.SCHEME}{tree.digest}"}


async def register(
    api: httpx.AsyncClient, spec: dict[str, Any], kind: str = "models", **headers: str
) -> dict[str, Any]:
    answer = await api.post(f"/api/v1/{kind}", json={"spec": spec}, headers=headers)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_versions_count_up_and_each_makes_one_event(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path, nats_url: str
) -> None:
    spec = model(store, tmp_path)
    versions = [(await register(api, spec))["version"] for _ in range(3)]
    assert versions == ["1", "2", "3"]

    connection = await nats.connect(nats_url)
    try:
        subscription = await connection.jetstream().subscribe(
            "modelyard.default.model.registered", ordered_consumer=True
        )
        events = [decode((await subscription.next_msg(timeout=10)).data) for _ in range(3)]
    finally:
        await connection.close()
    assert [event.subject for event in events] == [f"models/flight-delay/versions/{version}" for version in versions]
    assert {event.actor for event in events} == {"user:ada"}
    assert {event.sequence for event in events} == {1}


async def test_registrations_at_the_same_time_leave_no_gap(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    spec = model(store, tmp_path)
    answers = await asyncio.gather(*(register(api, spec) for _ in range(20)))
    assert sorted(int(answer["version"]) for answer in answers) == list(range(1, 21))


async def test_the_same_idempotency_key_registers_once(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    spec = model(store, tmp_path)
    key = {"Idempotency-Key": "abc"}
    first = await register(api, spec, **key)
    second = await register(api, spec, **key)
    assert first == second
    other = await api.post("/api/v1/models", json={"spec": spec | {"name": "another"}}, headers=key)
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency_key_reused"


async def test_files_come_back_as_they_went_in(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    version = await register(api, model(store, tmp_path))
    tree = (await api.get(f"/api/v1/models/flight-delay/versions/{version['version']}/tree")).json()
    assert [file["path"] for file in tree["files"]] == ["model.bin"]
    blob = await api.get(f"/api/v1/blobs/{tree['files'][0]['sha256']}")
    assert blob.content == b"weights"


async def test_a_tree_with_missing_files_is_refused_and_nothing_stored(
    api: httpx.AsyncClient, store: ObjectStore
) -> None:
    absent = trees.Tree(files=(trees.TreeFile(path="a.bin", sha256="0" * 64, size=1),))
    store.put_bytes(absent.document())
    spec = {"name": "ghost", "type": "custom_model", "path": f"{trees.SCHEME}{absent.digest}"}
    answer = await api.post("/api/v1/models", json={"spec": spec})
    assert answer.status_code == 400
    assert answer.json()["paths"] == ["a.bin"]
    assert (await api.get("/api/v1/models")).json()["items"] == []


async def test_an_unknown_key_is_named(api: httpx.AsyncClient) -> None:
    answer = await api.post(
        "/api/v1/models", json={"spec": {"name": "a", "path": "modelyard://trees/" + "0" * 64, "typ": "x"}}
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["path"] == "typ"
    assert answer.json()["errors"][0]["suggestion"] == "type"


async def test_an_upload_with_another_digest_is_refused(api: httpx.AsyncClient) -> None:
    wrong = hashlib.sha256(b"other").hexdigest()
    answer = await api.put(f"/api/v1/blobs/{wrong}", content=b"these")
    assert answer.status_code == 400
    assert answer.json()["code"] == "digest_mismatch"
    asked = await api.post("/api/v1/blobs/uploads", json={"blobs": [{"sha256": wrong, "size": 5}]})
    assert [place["sha256"] for place in asked.json()["missing"]] == [wrong]


async def test_labels_tags_archive_and_delete(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    spec = model(store, tmp_path)
    await register(api, spec | {"tags": {"team": "ops"}})
    await register(api, spec)
    base = "/api/v1/models/flight-delay"
    assert (await api.get(f"{base}/labels/latest")).json()["version"] == "2"
    assert (await api.put(f"{base}/aliases/champion", json={"version": "1"})).json()["aliases"] == ["champion"]
    assert (await api.get(f"{base}/labels/champion")).json()["version"] == "1"
    assert (await api.put(f"{base}/aliases/latest", json={"version": "1"})).status_code == 400

    tagged = (await api.get(f"{base}/versions", params={"search": "team=ops"})).json()["items"]
    assert [version["version"] for version in tagged] == ["1"]
    changed = await api.patch(f"{base}/versions/2", json={"tags": {"team": "lab"}, "description": "the second"})
    assert changed.json()["tags"] == {"team": "lab"}

    await api.post(f"{base}/versions/2/archive")
    assert (await api.get(f"{base}/labels/latest")).json()["version"] == "1"
    assert (await api.delete(f"{base}/versions/2")).status_code == 204
    missing = await api.get(f"{base}/versions/2")
    assert missing.status_code == 404
    assert missing.json()["exists"] == ["1"]
    assert (await register(api, spec))["version"] == "3"


async def test_lists_are_paged(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    spec = model(store, tmp_path)
    for _ in range(5):
        await register(api, spec)
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/api/v1/models/flight-delay/versions", params=params)).json()
        seen += [version["version"] for version in page["items"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ["5", "4", "3", "2", "1"]


async def test_a_table_of_data_gets_a_profile(api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "rows.csv").write_text("carrier,distance\nUA,100\nDL,200\nUA,\n")
    tree = trees.upload(store, folder)
    await register(api, {"name": "rows", "type": "uri_folder", "path": f"{trees.SCHEME}{tree.digest}"}, "data")

    async def profiled() -> Any:
        return (await api.get("/api/v1/data/rows/versions/1")).json()["profile"]

    profile = await eventually(profiled)
    assert profile["status"] == "profiled", profile
    assert profile["rows"] == 3
    assert profile["columns"] == 2


async def test_who_may_register(api: httpx.AsyncClient, as_role: Callable[[str], dict[str, str]]) -> None:
    spec = {"spec": {"name": "a", "path": "https://example.com/a"}}
    assert (await api.post("/api/v1/models", json=spec, headers=as_role("reader"))).status_code == 403
    assert (await api.post("/api/v1/models", json=spec, headers={"Authorization": "Bearer x.y.z"})).status_code == 401
    assert (await api.post("/api/v1/models", json=spec, headers=as_role("contributor"))).status_code == 201
