"""A replica loads nothing that is not what was signed: the real node, on real S3, without Ray around it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard_platform import manifests
from modelyard_platform import trees as stored
from modelyard_platform.manifests import IntegrityError, Signer
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import StoreSettings
from modelyard_runtime.replica.app import this_node
from modelyard_runtime.replica.server import Replica
from modelyard_runtime.replica.spec import ModelSpec, ReplicaSpec
from modelyard_testing.damage import flip
from modelyard_testing.plugin import Bucket

SUBJECT = "default/models/line/versions/3"
Serve = Callable[..., Replica]


@pytest.fixture
def store(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """This process as a Ray worker's: the node's settings in its environment."""
    for name, value in {
        "S3_URL": bucket.url,
        "S3_ACCESS_KEY": bucket.access_key,
        "S3_SECRET_KEY": bucket.secret_key,
        "S3_BUCKET": bucket.name,
        "NATS_URL": "",
        "DATA_DIR": str(tmp_path / "node"),
        "SIGNING_PUBLIC_KEY": str(tmp_path / "key.pub"),
    }.items():
        monkeypatch.setenv(f"MODELYARD_NODE_{name}", value)
    return ObjectStore(
        StoreSettings(
            **bucket.settings,
        )
    )


@pytest.fixture
def model(store: ObjectStore, trees: Any, tmp_path: Path) -> ModelSpec:
    """A signed ONNX model in the store."""
    folder = tmp_path / "model"
    folder.mkdir()
    shutil.copy(next(Path(trees).rglob("*.onnx")), folder / "model.onnx")
    signer = Signer(manifests.new_private_key())
    (tmp_path / "key.pub").write_text(signer.public_key)
    tree = stored.upload(store, folder)
    manifest = store.put_bytes(signer.sign(SUBJECT, tree))
    return ModelSpec(
        name="line", version="3", tree=tree.digest, manifest=manifest, subject=SUBJECT, onnx_file="model.onnx"
    )


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Replica] = []

    def serve(model: ModelSpec) -> Replica:
        replica = Replica(ReplicaSpec(endpoint="line", deployment="blue", generation=1, model=model), this_node())
        running.append(replica)
        return replica

    yield serve
    for replica in running:
        replica.stop()


def test_a_signed_model_is_served_and_a_changed_one_refused(serve: Serve, model: ModelSpec, tmp_path: Path) -> None:
    serve(model).check()
    (cached,) = (tmp_path / "node" / "trees").rglob("model.onnx")
    content = bytearray(cached.read_bytes())
    content[len(content) // 2] ^= 1
    cached.write_bytes(content)
    with pytest.raises(
        IntegrityError, match=r"default/models/line/versions/3 is refused: .*model\.onnx has been changed"
    ):
        serve(model)


@pytest.mark.parametrize(
    "changed",
    [{"manifest": None}, {"subject": "default/models/line/versions/4"}, {"version": "4", "subject": None}],
    ids=["unsigned", "another version", "another version without a subject"],
)
def test_what_was_not_signed_as_this_version_is_refused(
    serve: Serve, model: ModelSpec, changed: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError, match="is refused"):
        serve(model.model_copy(update=changed))


def test_another_tree_is_refused(serve: Serve, model: ModelSpec, store: ObjectStore, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(tmp_path / "model", folder)
    (folder / "extra.txt").write_text("more")
    other = stored.upload(store, folder)
    with pytest.raises(IntegrityError, match=r"extra\.txt is not the file that was signed"):
        serve(model.model_copy(update={"tree": other.digest}))


@pytest.mark.parametrize("damaged", ["file", "tree", "manifest"])
def test_one_flipped_byte_in_the_store_is_refused(
    serve: Serve, model: ModelSpec, store: ObjectStore, damaged: str
) -> None:
    """On a node that has nothing yet."""
    file = stored.load(store, model.tree).files[0].sha256
    assert model.manifest is not None
    flip(store, {"file": file, "tree": model.tree, "manifest": model.manifest}[damaged])
    with pytest.raises(IntegrityError, match=r"default/models/line/versions/3 is refused") as caught:
        serve(model)
    assert caught.value.subject == SUBJECT
