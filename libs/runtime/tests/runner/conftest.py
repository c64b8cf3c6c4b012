"""A node without Ray: real NATS and S3, and the Ray task's function called as it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard_contracts.work import StepOrder, StepResult, StepStart
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import NodeSettings
from modelyard_runtime.runner.task import run_step
from modelyard_testing.plugin import Bucket


@pytest.fixture
def node(tmp_path: Path, nats_url: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> NodeSettings:
    """This process as a Ray worker: settings in its environment, secrets included."""
    for name, value in {
        "S3_URL": bucket.url,
        "S3_ACCESS_KEY": bucket.access_key,
        "S3_SECRET_KEY": bucket.secret_key,
        "S3_BUCKET": bucket.name,
        "NATS_URL": nats_url,
        "DATA_DIR": str(tmp_path / "node"),
        "IDENTITY_KEY": "the-platform-identity-key-of-thirty-two-bytes",
        "PUBLIC_URL": "http://modelyard.test",
    }.items():
        monkeypatch.setenv(f"MODELYARD_NODE_{name}", value)
    return NodeSettings()


@pytest.fixture
def store(node: NodeSettings) -> ObjectStore:
    return ObjectStore(node)


def order(command: str, **fields: Any) -> StepOrder:
    """An order for a step of its own kind, with what a test does not care about filled in."""
    known: dict[str, Any] = {
        "step_id": "s1",
        "attempt": 1,
        "workspace": "default",
        "job": "job.one",
        "step": "train",
        "timeout_s": 60,
        "token": "the-steps-own-token",
        "correlation_id": "c1",
    }
    return StepOrder(command=command, **(known | fields))


@pytest.fixture(name="order")
def order_fixture() -> Callable[..., StepOrder]:
    """`order(command, **fields)`"""
    return order


@pytest.fixture
def run(node: NodeSettings) -> Callable[..., StepResult]:
    """Runs a command as a step and gives its result."""

    def run(command: str, **fields: Any) -> StepResult:
        start, result = run_step(order(command, **fields))
        assert isinstance(start, StepStart)
        assert isinstance(result, StepResult), result
        return result

    return run


@pytest.fixture
def tree_of(store: ObjectStore, tmp_path: Path) -> Callable[[dict[str, str]], str]:
    """Stores files given as `{path: text}` and gives the tree's digest."""
    number = 0

    def tree_of(files: dict[str, str]) -> str:
        nonlocal number
        number += 1
        root = tmp_path / f"tree{number}"
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return trees.upload(store, root).digest

    return tree_of


@pytest.fixture
def files_of(store: ObjectStore) -> Callable[[str], dict[str, str]]:
    """A stored tree as `{path: text}`."""

    def files_of(digest: str) -> dict[str, str]:
        return {file.path: store.get_bytes(file.sha256).decode() for file in trees.load(store, digest).files}

    return files_of
