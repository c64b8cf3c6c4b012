"""A whole replica, without Ray: from a spec to an announced address, and back."""

from __future__ import annotations

import http.client
import logging
import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from modelyard_runtime.replica.collector import Collector
from modelyard_runtime.replica.dataplane import DataPlane
from modelyard_runtime.replica.deployment_log import DeploymentLog
from modelyard_runtime.replica.http import Limits
from modelyard_runtime.replica.link import Announcement, Link, Shipment
from modelyard_runtime.replica.listener import Listener
from modelyard_runtime.replica.metrics import Metrics
from modelyard_runtime.replica.onnx_model import OnnxModel
from modelyard_runtime.replica.routes import Routes
from modelyard_runtime.replica.script import ScriptHost
from modelyard_runtime.replica.spec import ModelSpec, ReplicaSpec

log = logging.getLogger(__name__)

ANNOUNCE_WAIT_S: Final = 3.0
"""How long a start waits for NATS. Without it the replica starts all the same and is announced later."""
WITHDRAW_WAIT_S: Final = 2.0
SETTLE_S: Final = 1.0
"""How long a withdrawn replica still accepts: edges need to hear of it and reload."""

Fetch = Callable[[str], Path]
"""From a tree's digest to a folder of this node that has its files."""
FetchModel = Callable[[ModelSpec], Path]
"""The same for a model, whose files are verified. Raises IntegrityError."""
Interpreter = Callable[[str], Path]
"""From a lock's digest to the Python of its environment."""


@dataclass(frozen=True, slots=True)
class Node:
    """What the node gives a replica. `nats_url` is empty where nothing is to be announced or shipped."""

    listen_host: str
    nats_url: str
    data_dir: Path
    fetch: Fetch
    fetch_model: FetchModel
    interpreter: Interpreter


class Replica:
    """Loads, listens, warms up and announces in its constructor; any failure there is raised after everything started
    is ended again.

    Raises:
        ValueError: the model or the spec cannot be served.
        IntegrityError: the model's files are not what was signed.
        ScriptNotStartedError: the score script's `init()` failed; carries its traceback.
    """

    def __init__(self, spec: ReplicaSpec, node: Node) -> None:
        self.id = secrets.token_hex(6)
        self._spec = spec
        self._ready = False
        self._stopped = False
        folder = node.data_dir / "deployments" / spec.endpoint / spec.deployment
        self._log = DeploymentLog(folder / f"{self.id}.log")
        self._home = folder / self.id
        self._metrics = Metrics()
        self._collector = Collector(
            sampling_rate=spec.collector.sampling_rate, capacity_rows=spec.collector.capacity_rows
        )
        self._plane: DataPlane | None = None
        self._script: ScriptHost | None = None
        self._link: Link | None = None
        self._listener = Listener()
        try:
            self._start(node)
        except BaseException as error:
            self._log.say(f"did not start: {error}")
            self._end()
            raise

    @property
    def port(self) -> int:
        return self._listener.port

    def check(self) -> None:
        """Raises RuntimeError when the listener does not answer or the score script's process is lost for good."""
        if self._script is not None and self._script.given_up:
            raise RuntimeError(self._script.given_up)
        status, _ = self._request("GET", "/v2/health/live", b"")
        if status != http.client.OK:
            raise RuntimeError(f"the listener answers {status}")

    def stop(self) -> None:
        """Withdraws, lets the edges hear of it, finishes what is under way, ends. A second call does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self._ready = False
        until = monotonic() + self._spec.drain_timeout_s
        withdrawn = self._link.withdraw(WITHDRAW_WAIT_S) if self._link is not None else False
        self._log.say("withdrawn" if withdrawn else "stopping without NATS: the edges' health checks will tell them")
        cut = self._listener.drain(SETTLE_S if self._link is not None else 0.0, max(0.0, until - monotonic()))
        self._log.say(f"stopped, {cut} connections cut off" if cut else "stopped")
        self._end()

    def _start(self, node: Node) -> None:
        spec = self._spec
        model_dir = node.fetch_model(spec.model) if spec.model is not None else None
        signature = None
        if spec.script is not None:
            self._home.mkdir(parents=True, exist_ok=True)
            self._script = self._listener.run(self._make_script(node, model_dir))
            self._listener.run(self._script.start(), spec.script.init_timeout_s + 30)
        else:
            assert spec.model is not None
            assert spec.model.onnx_file is not None
            assert model_dir is not None
            model = OnnxModel(
                model_dir / spec.model.onnx_file, threads=spec.threads, feature_names=spec.model.feature_names
            )
            signature = model.signature
            self._plane = DataPlane(
                model,
                name=spec.model_name,
                version=spec.model_version,
                timeout_s=spec.timeout_ms / 1000,
                threads=max(1, round(spec.num_cpus)),
            )
            taken = self._plane.calibrate()
            self._log.say(
                f"{spec.model_name}:{spec.model_version} loaded, {'/'.join(model.providers)}, one row takes {taken * 1e6:.0f} µs"
            )
        routes = Routes(
            model=spec.model_name,
            version=spec.model_version,
            plane=self._plane,
            script=self._script,
            timeout_s=spec.timeout_ms / 1000,
            ready=self._is_ready,
            metrics=self._exposition,
            logs=self._log.tail,
        )
        limits = Limits(body_bytes=spec.max_body_bytes)
        headers = f"azureml-model-deployment: {spec.deployment}\r\n".encode()
        self._listener.open(node.listen_host, routes.handle, headers, limits, self._metrics)
        self._warm_up()
        self._ready = True
        self._log.say(f"listening on {node.listen_host}:{self.port}")
        shipment = None
        if self._plane is not None and signature is not None and spec.collector.enabled:
            self._plane.sink = self._collector
            subject = f"inference.{spec.workspace}.{spec.endpoint}.{spec.deployment}"
            shipment = Shipment(self._collector, signature, subject, spec.model_reference, self.id)
        if node.nats_url:
            key = f"replica.{spec.endpoint}.{spec.deployment}.{self.id}"
            announcement = Announcement(key, node.listen_host, self.port, spec.generation, os.getpid())
            self._link = Link(node.nats_url, announcement, shipment, self._log.say)
            self._link.start(ANNOUNCE_WAIT_S)

    async def _make_script(self, node: Node, model_dir: Path | None) -> ScriptHost:
        script = self._spec.script
        assert script is not None
        python = Path(script.python) if script.python is not None else node.interpreter(script.lock or "")
        return ScriptHost(
            python=python,
            code=node.fetch(script.code_tree),
            entry_script=script.entry_script,
            model_dir=model_dir,
            home=self._home,
            environment=self._spec.environment_variables,
            init_timeout_s=script.init_timeout_s,
            max_waiting=script.max_waiting,
            log=self._log,
        )

    def _warm_up(self) -> None:
        """One request over the socket, through everything a client's passes. Raises RuntimeError."""
        if self._plane is None:
            status, answer = self._request("GET", "/v2", b"")
        else:
            path, body = self._plane.example()
            status, answer = self._request("POST", path, body)
        if status not in (http.client.OK, http.client.BAD_REQUEST):
            raise RuntimeError(
                f"the warm-up request was answered with {status}: {answer[:500].decode(errors='replace')}"
            )
        if status == http.client.BAD_REQUEST:
            self._log.say(f"the model refuses a row of zeros: {answer[:500].decode(errors='replace')}")

    def _request(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """A request to the own listener. Raises RuntimeError when it does not answer."""
        connection = http.client.HTTPConnection(
            self._listener.host, self.port, timeout=max(5.0, self._spec.timeout_ms / 1000 + 1)
        )
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError as error:
            raise RuntimeError(f"the listener on port {self.port} does not answer: {error}") from error
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        return self._ready and (self._script is None or self._script.ready)

    def _exposition(self) -> bytes:
        return self._metrics.text(
            rows_collected=self._collector.collected,
            rows_dropped=self._collector.dropped + self._collector.lost,
            script_restarts=self._script.restarts if self._script else 0,
        )

    def _end(self) -> None:
        if self._link is not None:
            self._link.stop(5)
        if self._script is not None:
            self._listener.run(self._script.stop(), 5)
        self._listener.stop()
        if self._plane is not None:
            self._plane.close()
        self._log.close()
        shutil.rmtree(self._home, ignore_errors=True)
