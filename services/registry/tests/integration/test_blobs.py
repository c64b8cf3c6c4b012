"""Where blobs go, and what a tree must have before it is registered."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import PART, SCHEME, Tree, TreeFile
from modelyard_testing.identities import bearer
from registry.app import build
from registry.settings import Settings

DATA = b"hello"
DIGEST = hashlib.sha256(DATA).hexdigest()
BLOB = {"sha256": DIGEST, "size": len(DATA)}


@pytest.fixture
async def public(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A registry whose S3 server clients can reach."""
    app = build(settings.model_copy(update={"s3_public_url": settings.s3_url}))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://registry", headers=bearer()) as client:
            yield client


async def test_without_a_public_address_blobs_go_through_the_gateway(api: httpx.AsyncClient) -> None:
    (place,) = (await api.post("/api/v1/blobs/uploads", json={"blobs": [BLOB]})).json()["missing"]
    assert place == {"sha256": DIGEST, "url": f"/api/v1/blobs/{DIGEST}", "headers": {}}
    assert (await api.put(place["url"], content=DATA)).status_code == 201
    assert (await api.post("/api/v1/blobs/uploads", json={"blobs": [BLOB]})).json() == {"missing": []}
    (place,) = (await api.post("/api/v1/blobs/downloads", json={"digests": [DIGEST]})).json()["blobs"]
    assert (await api.get(place["url"])).content == DATA
    some = await api.get(place["url"], headers={"Range": "bytes=2-"})
    assert (some.status_code, some.content, some.headers["content-range"]) == (206, b"llo", "bytes 2-4/5")
    assert (await api.get(place["url"], headers={"Range": "bytes=9-"})).content == DATA


async def test_with_a_public_address_blobs_go_straight_to_s3(public: httpx.AsyncClient, settings: Settings) -> None:
    (to,) = (await public.post("/api/v1/blobs/uploads", json={"blobs": [BLOB]})).json()["missing"]
    assert to["url"].startswith(settings.s3_url)
    async with httpx.AsyncClient(trust_env=False) as s3:
        assert (await s3.put(to["url"], content=b"other", headers=to["headers"])).status_code == 400
        assert (await s3.put(to["url"], content=DATA, headers=to["headers"])).status_code == 200
        assert (await public.post("/api/v1/blobs/uploads", json={"blobs": [BLOB]})).json() == {"missing": []}
        (at,) = (await public.post("/api/v1/blobs/downloads", json={"digests": [DIGEST]})).json()["blobs"]
        assert (await s3.get(at["url"], headers=at["headers"])).content == DATA


async def test_a_reader_gets_no_place_to_write(
    public: httpx.AsyncClient, as_role: Callable[[str], dict[str, str]]
) -> None:
    asked = {"json": {"blobs": [BLOB]}, "headers": as_role("reader")}
    assert (await public.post("/api/v1/blobs/uploads", **asked)).status_code == 403  # type: ignore[arg-type]  # one dict for two


@pytest.mark.parametrize(
    "blob",
    [
        {"sha256": "../../x", "size": 1},
        {"sha256": "A" * 64, "size": 1},
        {"sha256": DIGEST, "size": -1},
        {"sha256": DIGEST},
    ],
)
async def test_bad_questions_are_refused(api: httpx.AsyncClient, blob: dict[str, object]) -> None:
    assert 400 <= (await api.post("/api/v1/blobs/uploads", json={"blobs": [blob]})).status_code < 500
    assert 400 <= (await api.post("/api/v1/blobs/uploads", json={"blobs": [BLOB] * 1001})).status_code < 500
    assert 400 <= (await api.get("/api/v1/blobs/..%2Fsecret")).status_code < 500


async def refused(api: httpx.AsyncClient, store: ObjectStore, tree: Tree) -> httpx.Response:
    store.put_bytes(tree.document())
    spec = {"name": "m", "type": "custom_model", "path": f"{SCHEME}{tree.digest}"}
    answer = await api.post("/api/v1/models", json={"spec": spec})
    assert 400 <= answer.status_code < 500
    assert (await api.get("/api/v1/models")).json()["items"] == []
    return answer


async def test_a_tree_without_one_of_its_parts_is_not_registered(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(b"a" * PART + b"b")
    (file,) = trees.upload(store, tmp_path / "large").files
    lacking = file.model_copy(update={"parts": (file.parts[0], "0" * 64)})
    answer = await refused(api, store, Tree(files=(lacking,)))
    assert "large" in answer.json()["detail"]


async def test_a_tree_that_lies_about_a_size_is_not_registered(api: httpx.AsyncClient, store: ObjectStore) -> None:
    file = TreeFile(path="a", sha256=store.put_bytes(DATA), size=6)
    answer = await refused(api, store, Tree(files=(file,)))
    assert "has 5 bytes, not the 6" in answer.json()["detail"]
    twice = Tree(files=(file, file.model_copy(update={"path": "b", "size": 5})))
    assert "another file" in (await refused(api, store, twice)).json()["detail"]


async def test_a_body_without_end_is_refused(api: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'{"spec": {"name": "'
        for _ in range(64):
            yield b"x" * (1 << 20)

    answer = await api.post("/api/v1/models", content=endless(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert answer.headers["content-type"] == "application/problem+json"

    blob = await api.put(f"/api/v1/blobs/{'0' * 64}", content=bytes((64 << 20) + 1))
    assert blob.status_code == 413
