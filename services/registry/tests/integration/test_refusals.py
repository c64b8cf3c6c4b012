"""One flipped byte is refused wherever the registry reads a version's files, and told once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from services.registry.tests.signed import Publish, events, register, uploaded

from modelyard_contracts.scheduler import StepFailed
from modelyard_contracts.serving import DeploymentDegraded
from modelyard_platform import identity, manifests
from modelyard_platform.cause import Identity
from modelyard_platform.manifests import Signed, Signer, Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from modelyard_testing.damage import flip
from modelyard_testing.identities import KEY, bearer
from registry.app import build
from registry.settings import Settings

_MIGRATION = files("registry.migrations").joinpath("0008_pre_integrity.sql").read_text()
RESIGNING = _MIGRATION.partition("-- A component's code")[2].partition("\n")[2]
"""What migration 0008 does to versions of before; the first half of it makes a table."""
ENTITY = {"models": "model", "data": "data", "components": "component", "environments": "environment"}
CONTENT = b"a,b\n1,2\n3,4\n"

Use = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]

ASKED: dict[str, Use] = {
    "tree": lambda api, kind: api.get(f"/api/v1/{kind}/late/versions/1/tree"),
    "rows": lambda api, kind: api.get(f"/api/v1/{kind}/late/versions/1/rows"),
    "diff": lambda api, kind: api.get(f"/api/v1/{kind}/late/diff", params={"from": "1", "to": "2"}),
    "share": lambda api, kind: api.post(f"/api/v1/{kind}/late/versions/1/share", json={"registry": "company"}),
}
"""What is read while somebody waits."""
WORKED: dict[str, str] = {
    "inspection": "insert into version_tasks (version_id, kind, cause) select id, 'inspection', $1 from versions where version = '1'",
    "profile": "insert into profile_tasks (version_id, cause) select id, $1 from versions where version = '1'",
}
"""What is read in the background: how it is asked for again."""

LISTS = [*((kind, use) for kind in ENTITY for use in ("tree", "share")), ("data", "diff")]
"""Which files they are is read."""
CONTENTS = [("data", "rows"), ("data", "profile"), ("models", "inspection")]
"""The files themselves are read too."""


async def execute(database: str, statement: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(statement, *arguments)
    finally:
        await connection.close()


async def settled(database: str) -> None:
    """Nothing is to be done about any version."""

    async def nothing_waits() -> bool:
        connection = await asyncpg.connect(database)
        try:
            left = await connection.fetchval(
                "select (select count(*) from version_tasks) + (select count(*) from profile_tasks)"
            )
        finally:
            await connection.close()
        return bool(left == 0)

    await eventually(nothing_waits)


@pytest.mark.parametrize(
    ("kind", "place", "what"),
    [
        *((*at, what) for at in (*LISTS, *CONTENTS) for what in ("tree", "manifest")),
        *((*at, "file") for at in CONTENTS),
    ],
)
async def test_one_flipped_byte_is_refused_and_told_once(
    signing: httpx.AsyncClient,
    store: ObjectStore,
    database: str,
    tmp_path: Path,
    kind: str,
    place: str,
    what: str,
) -> None:
    tree = uploaded(store, tmp_path / "files", rows__csv=CONTENT, MLmodel=b"flavors: {}\n")
    made, _ = [await register(signing, tree, kind) for _ in range(2)]
    assert (made["tree"], made["size"]) == (tree.digest, tree.size)
    assert (await signing.post("/api/v1/registries", json={"name": "company"})).status_code == 201
    await settled(database)
    damaged = {"file": [file.sha256 for file in tree.files], "tree": [tree.digest], "manifest": [made["manifest"]]}
    for digest in damaged[what]:
        await asyncio.to_thread(flip, store, digest)
    for _ in range(2):
        if place in ASKED:
            answer = await ASKED[place](signing, kind)
            assert (answer.status_code, answer.json()["code"]) == (400, "integrity_failed"), answer.text
            assert answer.json()["refused"] == f"default/{kind}/late/versions/1"
        else:
            await execute(
                database,
                WORKED[place],
                json.dumps({"workspace": "default", "actor": "user:ada", "correlation_id": "c"}),
            )
            await settled(database)
    (failed,) = await events(database, f"{ENTITY[kind]}.integrity_failed")
    assert failed["subject"] == f"{kind}/late/versions/1"
    assert (failed["data"]["refused_by"], failed["actor"]) == (f"registry/{place}", "user:ada")
    assert "is refused" in failed["data"]["detail"]
    if place == "share":
        assert (await signing.get(f"/api/v1/registries/company/{kind}")).json()["items"] == []


async def test_a_refused_profile_and_inspection_say_why(
    signing: httpx.AsyncClient, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    tree = uploaded(store, tmp_path / "files", rows__csv=CONTENT, MLmodel=b"flavors: {}\n")
    for file in tree.files:
        flip(store, file.sha256)
    for kind in ("data", "models"):
        await register(signing, tree, kind)
    await settled(database)
    profile = (await signing.get("/api/v1/data/late/versions/1")).json()["profile"]
    assert profile["status"] == "failed"
    assert "default/data/late/versions/1 is refused" in profile["detail"]
    (inspected,) = await events(database, "model.inspected")
    assert "default/models/late/versions/1 is refused" in inspected["data"]["detail"]


async def test_a_client_says_what_it_has_refused(
    signing: httpx.AsyncClient, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    tree = uploaded(store, tmp_path / "files", rows__csv=CONTENT)
    await register(signing, tree, "data")
    path = "/api/v1/data/late/versions/1/integrity-failures"
    for actor in ("user:ada", "user:ada", "user:bob"):
        said = await signing.post(path, json={"detail": "rows.csv is damaged"}, headers=bearer("reader", actor))
        assert said.status_code == 204, said.text
    told = await events(database, "data.integrity_failed")
    assert [(one["actor"], one["data"]["refused_by"]) for one in told] == [
        ("user:ada", "clients/user:ada"),
        ("user:bob", "clients/user:bob"),
    ], "the second time says nothing new"
    assert told[0]["data"]["detail"] == "rows.csv is damaged"
    missing = await signing.post(path.replace("versions/1", "versions/7"), json={"detail": "x"})
    assert missing.status_code == 404
    for body in ({}, {"detail": ""}, {"detail": "x" * 2001}, {"detail": "x", "actor": "user:eve"}):
        assert (await signing.post(path, json=body)).status_code == 400
    assert (await signing.post(path, json={"detail": "x"}, headers={"Authorization": ""})).status_code == 401


async def test_what_was_said_long_ago_is_said_again(
    signing: httpx.AsyncClient, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    await register(signing, uploaded(store, tmp_path / "files", rows__csv=CONTENT), "data")
    path = "/api/v1/data/late/versions/1/integrity-failures"
    for _ in range(2):
        assert (await signing.post(path, json={"detail": "damaged"})).status_code == 204
        await execute(database, "update refusals set refused_at = refused_at - interval '11 minutes'")
    assert len(await events(database, "data.integrity_failed")) == 2


async def test_a_live_replica_that_refuses_becomes_an_event_of_the_version(
    api: httpx.AsyncClient, publish: Publish, database: str
) -> None:
    for _ in range(2):
        event = await publish(
            DeploymentDegraded(
                endpoint="late",
                deployment="blue",
                generation=1,
                model="late:1",
                detail="0 of 1",
                refused="default/models/late/versions/1/conversion",
            )
        )
    assert event.data.subject == "endpoints/late/deployments/blue"
    (failed,) = await eventually(lambda: events(database, "model.integrity_failed"))
    assert failed["data"]["refused_by"] == "endpoints/late/deployments/blue"
    await publish(StepFailed(job="j", step="s", detail="x", refused="default/data/d/versions/1"))
    assert await eventually(lambda: events(database, "data.integrity_failed")), "everything before was handled"
    assert len(await events(database, "model.integrity_failed")) == 1


async def test_a_refusal_is_told_in_the_scope_of_its_version(
    api: httpx.AsyncClient, publish: Publish, database: str
) -> None:
    """What is shared is told in its registry; of another workspace's versions nobody says anything."""
    for refused in ("lab/models/late/versions/1", "models/late/versions/1", "nonsense"):
        await publish(StepFailed(job="j", step="s", detail="x", refused=refused))
    await publish(StepFailed(job="j", step="s", detail="x", refused="registries/company/models/late/versions/1"))
    (failed,) = await eventually(lambda: events(database, "model.integrity_failed"))
    assert failed["workspace"] == "registries/company"
    assert failed["subject"] == "models/late/versions/1"
    assert failed["data"]["refused_by"] == "workspaces/default/jobs/j/steps/s"


async def test_a_manifest_of_one_workspace_is_none_in_another(
    signing: httpx.AsyncClient, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    tree = uploaded(store, tmp_path / "files", model__txt=b"weights")
    lab = identity.sign(KEY, Identity(actor="user:eve", role="owner", workspace="lab"), issuer="test")
    body = {"spec": {"name": "late", "path": f"modelyard://trees/{tree.digest}"}}
    theirs = await signing.post("/api/v1/models", json=body, headers={"Authorization": f"Bearer {lab}"})
    assert theirs.status_code == 201, theirs.text
    ours = await register(signing, tree)
    await settled(database)
    await execute(database, "update versions set manifest = $1 where workspace = 'default'", theirs.json()["manifest"])
    answer = await signing.get("/api/v1/models/late/versions/1/tree")
    assert answer.json()["code"] == "integrity_failed", answer.text
    assert "its manifest is that of lab/models/late/versions/1" in answer.json()["detail"]
    assert ours["manifest"] != theirs.json()["manifest"]


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A registry, until the test has had enough of it."""
    app = build(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://registry", headers=bearer()
        ) as client,
    ):
        yield client


@pytest.mark.parametrize("honest", [True, False], ids=["what was signed", "what was changed since"])
async def test_what_was_signed_without_a_scope_is_signed_again_if_it_holds(
    settings: Settings, key: Path, store: ObjectStore, database: str, tmp_path: Path, *, honest: bool
) -> None:
    """As migration 0008 leaves them. Until then, and for ever when it does not hold, the old manifest is refused."""
    signer = Signer.read(key)
    tree = uploaded(store, tmp_path / "files", model__txt=b"weights")
    other = uploaded(store, tmp_path / "others", model__txt=b"weightz")
    onnx = uploaded(store, tmp_path / "onnx", model__onnx=b"graph")
    async with serve(settings) as without_a_key:
        made = await register(without_a_key, tree)
        await settled(database)
    old = store.put_bytes(signer.sign("models/late/versions/1", tree if honest else other))
    old_onnx = store.put_bytes(signer.sign("models/late/versions/1/conversion", onnx if honest else other))
    conversion = {"status": "converted", "tree": onnx.digest, "manifest": old_onnx}
    await execute(database, "update versions set manifest = $1, conversion = $2", old, json.dumps(conversion))
    await execute(database, RESIGNING)
    async with serve(settings.model_copy(update={"signing_key": key})) as signing:
        found = (await signing.get("/api/v1/models/late/versions/1")).json()
        answer = await signing.get("/api/v1/models/late/versions/1/tree")
    if honest:
        assert found["manifest"] != old, "before anybody asks"
        assert answer.json()["digest"] == made["tree"]
        subject = "default/models/late/versions/1/conversion"
        signed = Signed(tree=onnx.digest, manifest=found["conversion"]["manifest"], subject=subject)
        assert manifests.load(store, signed, Verifier(signer.public_key)) == onnx
        assert await events(database, "model.integrity_failed") == []
    else:
        assert (found["manifest"], found["conversion"]["manifest"]) == (old, old_onnx)
        assert answer.json()["code"] == "integrity_failed"
        told = await events(database, "model.integrity_failed")
        assert {one["data"]["refused_by"] for one in told} == {"registry/signing", "registry/tree"}


async def test_what_is_still_to_be_signed_again_is_not_refused(
    settings: Settings, key: Path, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    """With many versions that takes longer than the registry waits at its start; whoever asks meanwhile comes again."""
    signer = Signer.read(key)
    tree = uploaded(store, tmp_path / "files", rows__csv=CONTENT)
    async with serve(settings) as without_a_key:
        await register(without_a_key, tree, "data")
        await register(without_a_key, tree, "components")
        await settled(database)
    old = store.put_bytes(signer.sign("data/late/versions/1", tree))
    await execute(database, "update versions set manifest = $1 where kind = 'data'", old)
    await execute(database, RESIGNING)
    await execute(database, "update version_tasks set leased_until = now() + interval '1 hour'")
    async with serve(settings.model_copy(update={"signing_key": key})) as signing:
        for asked in ("data/late/versions/1/tree", "data/late/versions/1/rows", "data/late/versions/1/manifest",
                      "components/late/versions/1/tree"):  # fmt: skip
            answer = await signing.get(f"/api/v1/{asked}")
            assert (answer.status_code, answer.json()["code"]) == (503, "not_signed_yet"), answer.text
        await execute(database, "update version_tasks set leased_until = now()")
        await settled(database)
        for kind in ("data", "components"):
            assert (await signing.get(f"/api/v1/{kind}/late/versions/1/tree")).json()["digest"] == tree.digest
    for kind in ("data", "component"):
        assert await events(database, f"{kind}.integrity_failed") == []


async def test_components_and_environments_of_before_get_their_files(
    settings: Settings, key: Path, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    """The migration finds them in the specification, and what is found is signed."""
    tree = uploaded(store, tmp_path / "files", train__py=b"print()")
    async with serve(settings) as without_a_key:
        for kind in ("components", "environments"):
            await register(without_a_key, tree, kind)
    await execute(database, "update versions set tree = null, size = 0")
    await execute(database, RESIGNING)
    async with serve(settings.model_copy(update={"signing_key": key})) as signing:
        for kind in ("components", "environments"):
            found = (await signing.get(f"/api/v1/{kind}/late/versions/1")).json()
            assert found["tree"] == tree.digest
            signed = Signed(tree=tree.digest, manifest=found["manifest"], subject=f"default/{kind}/late/versions/1")
            assert manifests.load(store, signed, Verifier(Signer.read(key).public_key)) == tree
