"""Versions are signed as they are registered; what is refused where it is loaded becomes an event of the version."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from services.registry.tests.signed import Publish, events, register, uploaded

from modelyard_contracts.builder import ModelConversionFailed, ModelConverted
from modelyard_contracts.scheduler import StepFailed
from modelyard_contracts.serving import DeploymentFailed
from modelyard_platform import manifests, trees
from modelyard_platform.manifests import Signed, Signer, Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from registry.app import build
from registry.settings import Settings


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        import os

        return os.system, ("true",)


def official(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """OpenSSF's own tool."""
    command = [sys.executable, "-m", "model_signing", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


async def test_a_version_is_signed_when_it_is_registered(
    signing: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    tree = uploaded(store, tmp_path / "model", model__txt=b"weights", __gitignore=b"*.tmp\n")
    made = await register(signing, tree)
    assert made["manifest"] is not None, "at once"
    key = (await signing.get("/api/v1/signing-key")).json()
    verifier = Verifier(key["public_key"])
    assert key["fingerprint"] == manifests.fingerprint(key["public_key"])

    async def stored() -> bool:
        return await asyncio.to_thread(store.exists, made["manifest"])

    await eventually(stored)
    signed = Signed(tree=tree.digest, manifest=made["manifest"], subject="default/models/late/versions/1")
    assert manifests.load(store, signed, verifier) == tree

    answer = await signing.get("/api/v1/models/late/versions/1/manifest")
    assert answer.headers["content-type"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    folder = trees.download(store, tree, tmp_path / "downloaded")
    (tmp_path / "model.sig").write_bytes(answer.content)
    (tmp_path / "key.pub").write_text(key["public_key"])
    done = await asyncio.to_thread(
        official, "verify", "key", "--signature", tmp_path / "model.sig", "--public_key", tmp_path / "key.pub", folder
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_data_is_signed_and_each_version_for_itself(
    signing: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    tree = uploaded(store, tmp_path / "data", rows__csv=b"a,b\n1,2\n")
    first, second = [await register(signing, tree, "data", type="uri_folder") for _ in range(2)]
    assert first["tree"] == second["tree"]
    assert first["manifest"] != second["manifest"]
    answers = [await signing.get(f"/api/v1/data/late/versions/{number}/manifest") for number in (1, 2)]
    said = [json.loads(base64.b64decode(answer.json()["dsseEnvelope"]["payload"])) for answer in answers]
    assert [one["subject"][0]["name"] for one in said] == [
        "default/data/late/versions/1",
        "default/data/late/versions/2",
    ]


async def test_a_registry_without_a_key_signs_nothing_and_says_so(
    api: httpx.AsyncClient, store: ObjectStore, tmp_path: Path
) -> None:
    made = await register(api, uploaded(store, tmp_path / "model", model__txt=b"weights"))
    assert made["manifest"] is None
    for path in ("signing-key", "models/late/versions/1/manifest"):
        answer = await api.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_signed")


async def test_what_was_registered_before_there_was_a_key_is_signed_when_there_is_one(
    api: httpx.AsyncClient, settings: Settings, key: Path, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    made = await register(api, uploaded(store, tmp_path / "model", model__txt=b"weights"))
    connection = await asyncpg.connect(database)  # as migration 0005 leaves a version from before
    await connection.execute(
        "insert into version_tasks (version_id, kind, cause) select id, 'manifest', $1 from versions",
        json.dumps({"workspace": "default", "actor": "service:registry", "correlation_id": "migration-0005"}),
    )
    await connection.close()
    app = build(settings.model_copy(update={"signing_key": key}))
    async with app.router.lifespan_context(app):

        async def signed() -> Any:
            return (await api.get("/api/v1/models/late/versions/1")).json()["manifest"]

        manifest = await eventually(signed)
    whole = Signed(tree=made["tree"], manifest=manifest, subject="default/models/late/versions/1")
    assert manifests.load(store, whole, Verifier(Signer.read(key).public_key)).digest == made["tree"]


async def test_a_conversion_is_signed_before_it_belongs_to_its_version(
    signing: httpx.AsyncClient,
    publish: Publish,
    store: ObjectStore,
    key: Path,
    tmp_path: Path,
) -> None:
    await register(signing, uploaded(store, tmp_path / "model", model__txt=b"weights"))
    onnx = uploaded(store, tmp_path / "onnx", model__onnx=b"graph")
    await publish(ModelConverted(name="late", version="1", tree=onnx.digest, max_abs_difference=0.0, rows=3))

    async def converted() -> Any:
        return (await signing.get("/api/v1/models/late/versions/1")).json()["conversion"]

    conversion = await eventually(converted)
    assert conversion["status"] == "converted"
    signed = Signed(
        tree=onnx.digest, manifest=conversion["manifest"], subject="default/models/late/versions/1/conversion"
    )
    assert manifests.load(store, signed, Verifier(Signer.read(key).public_key)) == onnx


@pytest.mark.parametrize(
    ("reported", "refused_by"),
    [
        (
            DeploymentFailed(
                endpoint="late",
                deployment="blue",
                generation=1,
                detail="changed",
                refused="default/models/late/versions/1",
            ),
            "endpoints/late/deployments/blue",
        ),
        (
            DeploymentFailed(
                endpoint="late",
                deployment="blue",
                generation=1,
                detail="changed",
                refused="default/models/late/versions/1/conversion",
            ),
            "endpoints/late/deployments/blue",
        ),
        (
            StepFailed(job="j", step="score", detail="changed", refused="default/models/late/versions/1"),
            "jobs/j/steps/score",
        ),
        (
            ModelConversionFailed(name="late", version="1", detail="changed", refused="default/models/late/versions/1"),
            "models/late/versions/1",
        ),
    ],
)
async def test_a_refusal_becomes_an_event_of_the_version(
    api: httpx.AsyncClient, publish: Publish, database: str, reported: Any, refused_by: str
) -> None:
    event = await publish(reported)
    (failed,) = await eventually(lambda: events(database, "model.integrity_failed"))
    assert failed["subject"] == "models/late/versions/1"
    assert failed["data"] == {"name": "late", "version": "1", "refused_by": refused_by, "detail": "changed"}
    assert failed["causationid"] == str(event.id)


async def test_a_refused_data_version_has_its_own_event(
    api: httpx.AsyncClient, publish: Publish, database: str
) -> None:
    await publish(StepFailed(job="j", step="train", detail="changed", refused="default/data/flights/versions/2"))
    (failed,) = await eventually(lambda: events(database, "data.integrity_failed"))
    assert failed["subject"] == "data/flights/versions/2"


async def test_a_model_is_looked_into_and_found_by_its_flavour(
    api: httpx.AsyncClient, store: ObjectStore, database: str, tmp_path: Path
) -> None:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    await register(api, uploaded(store, tmp_path / "model", model__pkl=pickle.dumps(model)))
    await register(api, uploaded(store, tmp_path / "evil", model__pkl=pickle.dumps(Evil())), name="evil")

    async def inspected(name: str) -> Any:
        return (await api.get(f"/api/v1/models/{name}/versions/1")).json()["inspection"]

    found = await eventually(lambda: inspected("late"))
    (flavour,) = found["flavours"]
    assert (flavour["name"], flavour["loader"]) == ("sklearn", "sklearn.linear_model._logistic.LogisticRegression")
    assert found["signature"]["inputs"] == [{"name": "input", "type": None, "shape": [None, 2]}]
    assert found["warnings"] == []
    (warned,) = (await eventually(lambda: inspected("evil")))["warnings"]
    assert warned["imports"] == ["posix.system"]
    page = (await api.get("/api/v1/models", params={"search": "flavour:sklearn"})).json()
    assert [one["name"] for one in page["items"]] == ["late"]
    told = {event["data"]["name"]: event["data"] for event in await events(database, "model.inspected")}
    assert told["late"]["flavours"] == ["sklearn"]
    assert told["evil"]["warnings"] == 1
