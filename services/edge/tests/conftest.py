"""Real replicas, a real nats-server, and the edge as a process with its HAProxy."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats as nats_py
import numpy as np
import pytest
from nats.js.api import KeyValueConfig

KEY = "a-key-of-this-endpoint"
ROW = {"input_data": [[5.1, 3.5, 1.4, 0.2]]}
REPLICA = Path(__file__).with_name("replica_process.py")


def until(condition: Callable[[], Any], timeout_s: float = 20.0) -> Any:
    """The condition's first true value. Fails after `timeout_s` seconds."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    inputs, labels = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(inputs, labels)
    onnx = to_onnx(model, inputs[:1].astype(np.float32), options={"zipmap": False}, target_opset=18)
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.onnx").write_bytes(onnx.SerializeToString())
    return folder


@dataclass
class ReplicaProcess:
    deployment: str
    process: subprocess.Popen[str]
    port: int

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextlib.contextmanager
def replica(folder: Path, deployment: str, nats_url: str = "") -> Iterator[ReplicaProcess]:
    process = subprocess.Popen(
        [sys.executable, REPLICA, folder, deployment, nats_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield ReplicaProcess(deployment, process, int(process.stdout.readline()))
    finally:
        process.stdin.close()
        try:
            process.wait(15)
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()


@pytest.fixture(scope="session")
def replicas(model_folder: Any) -> Iterator[dict[str, ReplicaProcess]]:
    """`blue` and `green`; no test may harm them."""
    with replica(model_folder, "blue") as blue, replica(model_folder, "green") as green:
        yield {"blue": blue, "green": green}


@pytest.fixture
def start_replica(model_folder: Any) -> Iterator[Callable[..., ReplicaProcess]]:
    """Starts replicas that the test may kill."""
    with contextlib.ExitStack() as stack:
        yield lambda deployment, nats_url="": stack.enter_context(replica(model_folder, deployment, nats_url))


@dataclass
class Nats:
    """A nats-server on a fixed port, its data kept over a restart; and the bucket `routes` on it."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        server = Path(sys.executable).with_name("nats-server")
        log = self.folder / "log"
        self.process = subprocess.Popen(
            [server, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", self.folder, "-l", log]
        )
        until(self._answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def put(self, entries: dict[str, Any]) -> None:
        """Puts entries, deletes those that are None, and makes the bucket if there is none."""

        async def work(stream: Any) -> None:
            bucket = await stream.create_key_value(KeyValueConfig(bucket="routes"))
            for key, value in entries.items():
                if value is None:
                    await bucket.delete(key)
                else:
                    await bucket.put(key, value if isinstance(value, bytes) else json.dumps(value).encode())

        self._with(work)

    def lose_bucket(self) -> None:
        self._with(lambda stream: stream.delete_key_value("routes"))

    def _with(self, work: Callable[[Any], Any]) -> None:
        async def run() -> None:
            connection = await nats_py.connect(self.url, connect_timeout=5)
            try:
                await work(connection.jetstream(timeout=10))
            finally:
                await connection.close()

        asyncio.run(run())

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False


@dataclass
class Edge:
    """`python -m edge run` in a process group of its own."""

    folder: Path
    nats_url: str
    gateway: str = "http://127.0.0.1:9"
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "ADMIN_PORT": self.admin_port,
            "NATS_URL": self.nats_url,
            "GATEWAY_URL": self.gateway,
            "DATA_DIR": self.folder / "data",
        }
        environment = os.environ | {f"MODELYARD_EDGE_{name}": str(value) for name, value in settings.items()}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "run"], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        until(lambda: self.admin("/healthz")[0] == 200)

    def stop(self) -> None:
        """Ends the edge as a supervisor does: TERM, then the whole group."""
        if self.process is None:
            return
        group = self.process.pid
        self.process.terminate()
        try:
            self.process.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def kill_agent(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def haproxy(self) -> int | None:
        """The pid of HAProxy's master."""
        pid: int | None = json.loads(self.admin("/readyz")[1])["haproxy"]
        return pid

    def admin(self, path: str) -> tuple[int, str]:
        try:
            status, _, text = self._send(self.admin_port, "GET", path, None, {})
        except OSError:
            return 0, ""
        return status, text

    def send(
        self,
        path: str,
        body: Any = ROW,
        key: str | None = KEY,
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> tuple[int, Any, Any]:
        """Status, headers and text of the answer; status 0 when there is none."""
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return self._send(self.port, method, path, raw, sent)

    def score(self, **more: Any) -> tuple[int, str | None]:
        """Status, and which deployment answered."""
        try:
            status, headers, _ = self.send("/endpoints/flowers/score", **more)
        except (OSError, http.client.HTTPException):
            return 0, None
        return status, headers.get("azureml-model-deployment")

    @staticmethod
    def _send(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, Any, str]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()


def endpoint(name: str = "flowers", **change: Any) -> dict[str, Any]:
    """An endpoint's entry: blue and green, all to blue."""
    entry = {
        "name": name,
        "traffic": {"blue": 100, "green": 0},
        "keys": [hashlib.sha256(KEY.encode()).hexdigest()],
        "deployments": ["blue", "green"],
        "max_body_bytes": 10_000,
        "timeout_ms": 3000,
        "revision": 1,
    }
    return entry | change


def address(replica: ReplicaProcess) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": replica.port, "generation": 1, "pid": replica.process.pid}


@pytest.fixture
def tools() -> Any:
    """What tests build entries from (conftest modules cannot be imported under importlib mode)."""
    return type(
        "Tools",
        (),
        {"until": staticmethod(until), "endpoint": staticmethod(endpoint), "address": staticmethod(address)},
    )


@pytest.fixture
def nats(tmp_path: Any) -> Iterator[Nats]:
    server = Nats(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def edge(nats: Any, tmp_path: Any) -> Iterator[Edge]:
    """An edge of the test's own, which knows `flowers` and its two replicas."""
    agent = Edge(tmp_path / "edge", nats.url)
    try:
        agent.start()
        yield agent
    finally:
        agent.stop()
        assert_nothing_left(agent)


@pytest.fixture
def flowers(edge: Edge, nats: Any, replicas: Any) -> Edge:
    """The edge, once it scores for the endpoint `flowers` with a replica of each deployment."""
    entries = {f"replica.flowers.{name}.r1": address(process) for name, process in replicas.items()}
    nats.put({"endpoint.flowers": endpoint()} | entries)
    until(
        lambda: (
            edge.score() == (200, "blue") and edge.score(headers={"modelyard-deployment": "green"}) == (200, "green")
        )
    )
    return edge


@pytest.fixture(scope="session")
def shared(tmp_path_factory: Any, replicas: Any) -> Iterator[tuple[Edge, Nats]]:
    """One edge and nats-server for the tests that leave them as they find them."""
    folder = tmp_path_factory.mktemp("shared")
    server = Nats(folder / "nats")
    agent = Edge(folder / "edge", server.url)
    try:
        server.start()
        agent.start()
        entries = {f"replica.flowers.{name}.r1": address(process) for name, process in replicas.items()}
        more = {
            "endpoint.flowers": endpoint(traffic={"blue": 90, "green": 10}),
            "endpoint.empty": endpoint("empty", traffic={"blue": 100}, deployments=["blue"]),
            "endpoint.idle": endpoint("idle", traffic={}, deployments=["blue"]),
            "endpoint.other": endpoint("other", keys=["0" * 64]),
        }
        server.put(more | entries)
        until(lambda: agent.score(headers={"modelyard-deployment": "green"}) == (200, "green"))
        yield agent, server
    finally:
        agent.stop()
        server.kill()
        assert_nothing_left(agent)


def assert_nothing_left(agent: Edge) -> None:
    """No HAProxy of this edge lives on, and its sockets' folder is gone."""
    data = str(agent.folder / "data")
    until(lambda: not any(data in _command_line(folder) for folder in Path("/proc").iterdir() if folder.name.isdigit()))


def _command_line(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""
