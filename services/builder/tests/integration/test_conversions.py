"""A registered scikit-learn model becomes ONNX in its own environment, or it is said why not."""

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import onnxruntime
import pandas as pd
import pytest
import sklearn
from onnx import helper
from services.builder.tests.support import Publish, Registry, Start, told
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from modelyard_contracts.registry import ModelRegistered
from modelyard_platform import manifests, trees
from modelyard_platform.manifests import Signer
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from modelyard_testing.damage import flip

pytestmark = pytest.mark.timeout(600)


def fitted() -> tuple[Pipeline, pd.DataFrame]:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"carrier": rng.choice(["UA", "AA"], 300), "distance": rng.uniform(100, 2600, 300)})
    columns = ColumnTransformer([("text", OneHotEncoder(), ["carrier"]), ("number", StandardScaler(), ["distance"])])
    late = np.where((frame["distance"] > 1000).to_numpy() ^ (rng.random(300) < 0.1), "late", "on time")
    return Pipeline([("columns", columns), ("model", LogisticRegression())]).fit(frame, late), frame


def put(objects: ObjectStore, folder: Path, files: dict[str, bytes]) -> Tree:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return trees.upload(objects, folder)


async def test_pipeline_is_converted_and_measured(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path, database: str
) -> None:
    model, frame = fitted()
    tree = put(objects, tmp_path / "model", {"model.pkl": pickle.dumps(model)})
    sample = put(objects, tmp_path / "sample", {"sample.csv": frame.to_csv(index=False).encode()})
    async with start() as client:
        locked = (
            await client.lock({"requirements": [f"scikit-learn=={sklearn.__version__}", f"pandas=={pd.__version__}"]})
        ).json()
        registry.add("models/late/versions/1", tree=tree.digest, sample=sample.digest, environment=locked["digest"])
        event = await publish(ModelRegistered(name="late", version="1", tree=tree.digest))
        found = await client.converted("late", "1", within_s=500)
        await publish(ModelRegistered(name="late", version="1", tree=tree.digest), message_id="again", id=event.id)
    assert found["status"] == "converted", found
    assert found["rows"] == 300
    assert 0 <= found["max_abs_difference"] < 1e-4
    assert found["label_agreement"] == 1.0
    assert found["signature"]["columns"] == ["carrier", "distance"]
    assert [one["name"] for one in found["signature"]["inputs"]] == ["carrier", "distance"]

    made = trees.download(objects, trees.load(objects, found["tree"]), tmp_path / "made")
    assert sorted(path.name for path in made.iterdir()) == ["certificate.json", "model.onnx"]
    assert json.loads((made / "certificate.json").read_text())["versions"]["scikit-learn"] == sklearn.__version__
    session = onnxruntime.InferenceSession(made / "model.onnx", providers=["CPUExecutionProvider"])
    feed = {
        "carrier": frame[["carrier"]].to_numpy(dtype=object),
        "distance": frame[["distance"]].to_numpy(dtype=np.float32),
    }
    assert np.allclose(session.run(None, feed)[1], model.predict_proba(frame), atol=1e-4)
    (alert,) = await told(database)
    assert alert["type"] == "modelyard.model.converted.v1"
    assert alert["data"]["tree"] == found["tree"]
    assert alert["data"]["environment"] == found["environment"]
    assert alert["data"]["max_abs_difference"] == found["max_abs_difference"]
    assert alert["causationid"] == str(event.id)


@pytest.mark.parametrize("kind", ["mlflow", "bare pickle"])
async def test_environment_and_rows_are_found_with_the_model(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path, kind: str
) -> None:
    """An MLflow folder brings its conda file and an input example; a bare pickle names the scikit-learn that wrote it."""
    model, frame = fitted()
    rows = frame.head(20)
    if kind == "mlflow":
        conda = {
            "dependencies": ["python=3.11.7", "pip<=26", {"pip": [f"scikit-learn=={sklearn.__version__}", "pandas<3"]}]
        }
        files = {
            "m/MLmodel": MLMODEL,
            "m/model.pkl": pickle.dumps(model),
            "m/conda.yaml": json.dumps(conda).encode(),
            "m/input_example.json": rows.to_json(orient="split", index=False).encode(),
        }
        tree, sample = put(objects, tmp_path / "model", files), None
    else:
        tree = put(objects, tmp_path / "model", {"model.pkl": pickle.dumps(model)})
        rows.to_parquet(tmp_path / "rows.parquet")
        sample = trees.upload(objects, tmp_path / "rows.parquet").digest
    registry.add("models/m/versions/1", tree=tree.digest, sample=sample)
    async with start() as client:
        await publish(ModelRegistered(name="m", version="1", tree=tree.digest))
        found = await client.converted("m", "1", within_s=500)
        lock = (await client.get(f"/api/v1/environment-locks/{found['environment']}")).json()
    assert (found["status"], found["rows"], found["label_agreement"]) == ("converted", 20, 1.0), found
    assert f"scikit-learn=={sklearn.__version__}" in lock["packages"]


ESTIMATOR = pickle.dumps(LogisticRegression())
ONNX = helper.make_model(
    helper.make_graph([], "nothing", [], []), opset_imports=[helper.make_opsetid("", 17)]
).SerializeToString()
MLMODEL = b"flavors:\n  sklearn:\n    pickled_model: model.pkl\n    sklearn_version: 1.5.0\n"


@pytest.mark.parametrize(
    ("files", "sample", "status", "detail"),
    [
        ({"model.onnx": ONNX}, None, "skipped", "it is ONNX already"),
        ({"a.txt": b"x"}, None, "skipped", "no file of it is a scikit-learn model"),
        ({"a.pkl": b"x"}, None, "skipped", "a.pkl: it cannot be read: no pickle"),
        ({"a.pkl": ESTIMATOR, "b.pkl": ESTIMATOR}, None, "skipped", "several scikit-learn models: a.pkl, b.pkl"),
        ({"MLmodel": b"flavors: {pytorch: {}}", "model.pkl": ESTIMATOR}, None, "skipped", "pytorch"),
        ({"MLmodel": b"flavors: [}", "model.pkl": ESTIMATOR}, None, "skipped", "MLmodel: it cannot be read: no YAML"),
        ({"MLmodel": MLMODEL}, None, "failed", "names model.pkl"),
        ({"model.pkl": ESTIMATOR}, None, "failed", "no rows to measure"),
        ({"MLmodel": MLMODEL, "model.pkl": ESTIMATOR}, None, "failed", "no rows to measure"),
        ({"model.pkl": ESTIMATOR}, {"rows.txt": b"x"}, "failed", "the sample has no .parquet"),
    ],
)
async def test_what_is_not_converted_says_why(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path, database: str,
    files: dict[str, bytes], sample: dict[str, bytes] | None, status: str, detail: str,
) -> None:  # fmt: skip
    tree = put(objects, tmp_path / "model", files)
    rows = put(objects, tmp_path / "sample", sample).digest if sample else None
    registry.add("models/m/versions/1", tree=tree.digest, sample=rows)
    async with start() as client:
        await publish(ModelRegistered(name="m", version="1", tree=tree.digest))
        found = await client.converted("m", "1")
        assert (found["status"], found["tree"]) == (status, None)
        assert detail in found["detail"]
        if status == "failed":
            (event,) = await told(database)
            assert event["type"] == "modelyard.model.conversion_failed.v1"
            assert event["data"]["detail"] == found["detail"]


async def test_environment_that_cannot_hold_the_converter(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path
) -> None:
    tree = put(objects, tmp_path / "model", {"model.pkl": ESTIMATOR})
    sample = put(objects, tmp_path / "sample", {"rows.json": b"[]"})
    spec: dict[str, Any] = {"environment": {"requirements": ["skl2onnx<1.0"]}}
    registry.add("models/m/versions/1", tree=tree.digest, sample=sample.digest, spec=spec)
    async with start() as client:
        await publish(ModelRegistered(name="m", version="1", tree=tree.digest))
        found = await client.converted("m", "1", within_s=60)
    assert found["status"] == "failed"
    assert "cannot be installed together" in found["detail"]


async def test_registry_that_comes_back(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path
) -> None:
    tree = put(objects, tmp_path / "model", {"model.onnx": b"x"})
    registry.add("models/m/versions/1", tree=tree.digest)
    registry.failures = 2
    async with start() as client:
        await publish(ModelRegistered(name="m", version="1", tree=tree.digest))
        found = await client.converted("m", "1")
    assert (found["status"], found["attempts"]) == ("skipped", 3)


async def test_two_builders_convert_once(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path, database: str
) -> None:
    tree = put(objects, tmp_path / "model", {"model.pkl": ESTIMATOR})
    for number in range(5):
        registry.add(f"models/m/versions/{number}", tree=tree.digest)
    async with start() as client, start():
        for number in range(5):
            await publish(ModelRegistered(name="m", version=str(number), tree=tree.digest))
        found = await asyncio.gather(*(client.converted("m", str(number)) for number in range(5)))
    assert {one["status"] for one in found} == {"failed"}
    assert sorted(event["data"]["version"] for event in await told(database, 5)) == list("01234")


async def test_a_killed_builder_leaves_its_task_to_another(
    start: Start, registry: Registry, objects: ObjectStore, tmp_path: Path, database: str
) -> None:
    """A lease that nobody renews, as kill -9 leaves it, runs out."""
    tree = put(objects, tmp_path / "model", {"model.onnx": b"x"})
    registry.add("models/m/versions/1", tree=tree.digest)
    connection = await asyncpg.connect(database)
    try:
        cause = json.dumps({"actor": "user:tester", "correlation_id": "story"})
        await connection.execute(
            "insert into tasks (kind, workspace, name, version, cause, attempts, leased_until) "
            "values ('conversion', 'default', 'm', '1', $1, 1, now() + interval '1 second')",
            cause,
        )
    finally:
        await connection.close()
    async with start() as client:
        found = await client.converted("m", "1")
    assert (found["status"], found["attempts"]) == ("skipped", 2)


async def test_a_model_that_is_not_what_was_signed_is_not_converted(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path, database: str,
) -> None:  # fmt: skip
    signer = Signer(manifests.new_private_key())
    key = tmp_path / "key.pub"
    key.write_text(signer.public_key)
    tree = put(objects, tmp_path / "model", {"model.pkl": ESTIMATOR})
    manifest = objects.put_bytes(signer.sign("default/models/other/versions/1", tree))
    registry.add("models/m/versions/1", tree=tree.digest, manifest=manifest)
    async with start(signing_public_key=key) as client:
        await publish(ModelRegistered(name="m", version="1", tree=tree.digest))
        found = await client.converted("m", "1")
    assert found["status"] == "failed"
    assert (
        "default/models/m/versions/1 is refused: its manifest is that of default/models/other/versions/1"
        in found["detail"]
    )
    (event,) = await told(database)
    assert event["data"]["refused"] == "default/models/m/versions/1"


@pytest.mark.parametrize("damaged", ["file", "tree", "manifest"])
async def test_one_flipped_byte_is_not_converted(
    start: Start, publish: Publish, registry: Registry, objects: ObjectStore, tmp_path: Path, database: str, damaged: str,
) -> None:  # fmt: skip
    signer = Signer(manifests.new_private_key())
    key = tmp_path / "key.pub"
    key.write_text(signer.public_key)
    tree = put(objects, tmp_path / "model", {"model.pkl": ESTIMATOR})
    manifest = objects.put_bytes(signer.sign("default/models/m/versions/1", tree))
    flip(objects, {"file": tree.files[0].sha256, "tree": tree.digest, "manifest": manifest}[damaged])
    registry.add("models/m/versions/1", tree=tree.digest, manifest=manifest)
    async with start(signing_public_key=key) as client:
        await publish(ModelRegistered(name="m", version="1", tree=tree.digest))
        found = await client.converted("m", "1")
    assert found["status"] == "failed"
    (event,) = await told(database)
    assert event["data"]["refused"] == "default/models/m/versions/1"
