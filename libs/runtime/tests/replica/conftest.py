"""Tiny real models, a real nats-server that a test may kill, and replicas without Ray."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard_runtime.replica.server import Node, Replica
from modelyard_runtime.replica.spec import CollectorSpec, ModelSpec, ReplicaSpec, ScriptSpec

MATRIX, COLUMNS, CODE = "a" * 64, "b" * 64, "c" * 64
FLOWER = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
FLIGHT = {"distance": 1400.5, "hour": 17, "carrier": "UA"}


def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The condition's first true value. Fails after `timeout_s` seconds."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of trees: a classifier of one [N, 4] matrix, and a pipeline on a DataFrame of float, int64 and text columns."""
    import pandas as pd
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn.compose import ColumnTransformer
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    root = tmp_path_factory.mktemp("trees")
    inputs, labels = load_iris(return_X_y=True)
    forest = RandomForestClassifier(10, random_state=0).fit(inputs, labels)
    onnx = to_onnx(forest, inputs[:1].astype(np.float32), options={"zipmap": False}, target_opset=18)
    (root / MATRIX).mkdir()
    (root / MATRIX / "model.onnx").write_bytes(onnx.SerializeToString())

    frame = pd.DataFrame(
        {"distance": [100.0, 900.0, 1500.0, 2400.0], "hour": [6, 12, 17, 22], "carrier": ["UA", "AA", "UA", "DL"]}
    )
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["distance", "hour"]),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
        ]
    )
    pipeline = make_pipeline(columns, LinearRegression()).fit(frame, [1.0, 12.0, 30.0, 44.0])
    kinds = [
        ("distance", FloatTensorType([None, 1])),
        ("hour", Int64TensorType([None, 1])),
        ("carrier", StringTensorType([None, 1])),
    ]
    onnx = to_onnx(pipeline, initial_types=kinds, target_opset=18)
    (root / COLUMNS).mkdir()
    (root / COLUMNS / "model.onnx").write_bytes(onnx.SerializeToString())
    return root


@dataclass
class Nats:
    """A nats-server of the test's own, on a fixed port, with its data kept over a restart."""

    folder: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
        server = Path(sys.executable).with_name("nats-server")
        command = [
            str(server),
            "-js",
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-sd",
            str(self.folder),
            "-l",
            str(self.folder / "log"),
        ]
        self.process = subprocess.Popen(command)
        until(self._answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False


@pytest.fixture
def nats(tmp_path: Any) -> Iterator[Nats]:
    folder = tmp_path / "nats"
    folder.mkdir()
    server = Nats(folder)
    server.start()
    yield server
    server.kill()


@dataclass
class Client:
    """Speaks HTTP to a replica, one connection for all."""

    port: int

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, raw, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            text = content.decode()
            return answer.status, json.loads(text) if "json" in answer.headers["content-type"] else text, answer.headers
        finally:
            connection.close()

    def score(self, body: Any) -> tuple[int, Any]:
        return self.send("POST", "/score", body)[:2]


@dataclass
class Started:
    replica: Replica
    client: Client


@pytest.fixture
def start(trees: Any, tmp_path: Any) -> Iterator[Callable[..., Started]]:
    """Starts replicas; they are stopped when the test ends."""
    running: list[Replica] = []

    def begin(spec: ReplicaSpec, nats_url: str = "") -> Started:
        folders = {MATRIX: trees / MATRIX, COLUMNS: trees / COLUMNS, CODE: tmp_path / "code"}
        fetch = folders.__getitem__
        node = Node("127.0.0.1", nats_url, tmp_path / "node", fetch, lambda model: fetch(model.tree), Path)
        replica = Replica(spec, node)
        running.append(replica)
        return Started(replica, Client(replica.port))

    yield begin
    for replica in running:
        replica.stop()


@pytest.fixture
def script(tmp_path: Path, start: Callable[..., Started]) -> Callable[..., Started]:
    """Starts a replica with the given score script."""

    def begin(source: str, python: str = sys.executable, **fields: Any) -> Started:
        (tmp_path / "code" / "src").mkdir(parents=True, exist_ok=True)
        (tmp_path / "code" / "src" / "score.py").write_text(source)
        return start(script_spec(python, **fields))

    return begin


def script_spec(
    python: str = sys.executable, init_timeout_s: float = 20.0, max_waiting: int = 64, **fields: Any
) -> ReplicaSpec:
    code = ScriptSpec(
        code_tree=CODE,
        entry_script="src/score.py",
        python=python,
        init_timeout_s=init_timeout_s,
        max_waiting=max_waiting,
    )
    model = ModelSpec(name="iris", version="3", tree=MATRIX)
    return ReplicaSpec(endpoint="flowers", deployment="blue", generation=1, model=model, script=code, **fields)


def matrix_spec(**fields: Any) -> ReplicaSpec:
    model = ModelSpec(name="iris", version="3", tree=MATRIX, onnx_file="model.onnx", feature_names=tuple(FLOWER))
    return ReplicaSpec(endpoint="flowers", deployment="blue", generation=1, model=model, **fields)


def columns_spec(**fields: Any) -> ReplicaSpec:
    model = ModelSpec(name="delay", version="1", tree=COLUMNS, onnx_file="model.onnx")
    return ReplicaSpec(endpoint="flights", deployment="green", generation=2, model=model, **fields)


@pytest.fixture
def specs() -> Any:
    """What tests build specs from (conftest modules cannot be imported under importlib mode)."""
    return type(
        "Specs",
        (),
        {
            "matrix": staticmethod(matrix_spec),
            "columns": staticmethod(columns_spec),
            "script": staticmethod(script_spec),
            "collector": CollectorSpec,
            "flower": FLOWER,
            "flight": FLIGHT,
            "until": staticmethod(until),
            "client": Client,
        },
    )


@pytest.fixture
def matrix(start: Callable[..., Started]) -> Started:
    return start(matrix_spec(max_body_bytes=64 * 1024))


@pytest.fixture
def columns(start: Callable[..., Started]) -> Started:
    return start(columns_spec())
