"""The runner's process on real NATS, S3 and Ray; the scheduler is a server with its two internal routes and nothing behind them."""

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import nats
import pytest
from nats.js import JetStreamContext

from modelyard.stack import Layout, parts, services
from modelyard.stack.parts import Part
from modelyard.stack.provision import create_bucket, create_streams
from modelyard_contracts.work import StepOrder, StepResult, StepStart
from modelyard_platform import identity
from modelyard_testing.processes import lives
from modelyard_testing.servers import in_thread, running

RUNNER = {"MODELYARD_RUNNER_ACK_WAIT_S": "3", "MODELYARD_RUNNER_HEARTBEAT_S": "0.5"}


@dataclass
class Scheduler:
    """Keeps what it is told; steps in `superseded` are answered 409, and nothing is answered between `stop` and `start`."""

    layout: Layout
    told: list[tuple[str, int, str, dict[str, object]]] = field(default_factory=list)
    superseded: set[str] = field(default_factory=set)
    server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        scheduler = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                caller = identity.verify(
                    scheduler.layout.secret("identity"), self.headers["Authorization"].removeprefix("Bearer ")
                )
                match = re.fullmatch(r"/internal/v1/steps/([^/]+)/attempts/(\d+)/(started|finished)", self.path)
                if match is None or caller.role != "service" or self.headers["Modelyard-Correlation-Id"] != "c1":
                    self.answer(400, {"detail": "not what the runner should say", "code": "wrong"})
                    return
                step, attempt, what = match[1], int(match[2]), match[3]
                (StepStart if what == "started" else StepResult).model_validate(body)
                scheduler.told.append((step, attempt, what, body))
                if step in scheduler.superseded:
                    self.answer(409, {"detail": "superseded", "code": "superseded"})
                else:
                    self.answer(200, {})

            def answer(self, status: int, body: dict[str, str]) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.layout.ports["scheduler"]), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def heard(self, step: str, what: str) -> list[dict[str, object]]:
        return [body for told, _, kind, body in self.told if (told, kind) == (step, what)]


@dataclass
class Place:
    """Everything the runner stands on, and the runner itself."""

    layout: Layout
    scheduler: Scheduler
    parts: dict[str, tuple[ExitStack, "subprocess.Popen[bytes]"]] = field(default_factory=dict)

    def start(self, part: Part) -> None:
        stack = ExitStack()
        self.parts[part.name] = stack, stack.enter_context(running(self.layout, part))

    def start_nats(self) -> None:
        self.start(parts.nats(self.layout))
        in_thread(create_streams(parts.nats_url(self.layout)))

    def start_runner(self) -> None:
        part = services.service(self.layout, "runner")
        self.start(replace(part, environment={**part.environment, **RUNNER}, start_timeout_s=60))

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to a part's process and waits for its end."""
        stack, process = self.parts.pop(name)
        os.kill(process.pid, number)
        process.wait(15)
        stack.close()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.layout.ports['runner']}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def jetstream(self, action: Callable[[JetStreamContext], Awaitable[object]]) -> object:
        async def connected() -> object:
            client = await nats.connect(parts.nats_url(self.layout))
            try:
                return await action(client.jetstream())
            finally:
                await client.close()

        return in_thread(connected())

    def order(self, command: str, **fields: object) -> str:
        """Puts an order on the queue; its step's id."""
        step = f"s-{uuid4().hex[:8]}"
        known = {
            "step_id": step,
            "attempt": 1,
            "workspace": "default",
            "job": "j",
            "step": "train",
            "correlation_id": "c1",
        }
        data = (
            StepOrder.model_validate({**known, "command": command, "timeout_s": 60, "num_cpus": 1, **fields})
            .model_dump_json()
            .encode()
        )
        self.jetstream(lambda js: js.publish("work.default.step", data))
        return step

    def cancel(self, step: str) -> None:
        async def publish(js: JetStreamContext) -> None:
            await js._nc.publish("work.control", json.dumps({"cancel": step}).encode())
            await js._nc.flush()

        self.jetstream(publish)

    def left(self, stream: str = "WORK") -> int:
        """Messages that the stream still holds."""

        async def count(js: JetStreamContext) -> int:
            return (await js.stream_info(stream)).state.messages

        found = self.jetstream(count)
        assert isinstance(found, int)
        return found

    def finished(self, step: str, timeout_s: float = 40) -> StepResult:
        """The result of a step, as soon as there is one."""
        until(lambda: self.scheduler.heard(step, "finished"), timeout_s)
        return StepResult.model_validate(self.scheduler.heard(step, "finished")[-1])


def until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.05)


def pid_in(file: Path) -> int:
    until(lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())


@pytest.fixture(scope="module")
def runner() -> Iterator[Place]:
    """A runner on NATS, S3, Ray (two CPUs) and the scheduler's stand-in. Tests that end a part start it again."""
    with tempfile.TemporaryDirectory(prefix="modelyard-test-") as folder:
        layout = Layout.open(Path(folder))
        layout.assign_ports(port for part in services.ALL for port in parts.ports_of(part))
        place = Place(layout, Scheduler(layout))
        ray = parts.ray(layout, services.node_environment(layout))
        options = json.loads(ray.command[-1]) | {"num_cpus": 2}
        try:
            place.start(parts.s3(layout))
            create_bucket(parts.s3_url(layout), "modelyard", layout.secret("s3"), parts.S3_BUCKET)
            place.scheduler.start()
            place.start(replace(ray, command=(*ray.command[:-1], json.dumps(options))))
            place.start_nats()
            place.start_runner()
            yield place
        finally:
            place.scheduler.stop()
            for stack, _ in reversed(place.parts.values()):
                stack.close()
            layout.remove_sockets()


def test_step_from_order_to_acknowledgement(runner: Place) -> None:
    step = runner.order("echo hello; echo 1 > ${{outputs.o}}/f", outputs={"o": {"type": "uri_folder"}})
    result = runner.finished(step)
    assert result.status == "completed", result
    assert result.log_tail == "hello"
    assert set(result.outputs) == {"o"}
    assert result.seconds > 0
    [started] = runner.scheduler.heard(step, "started")
    assert started["node"] == result.node
    assert [told[2] for told in runner.scheduler.told if told[0] == step] == ["started", "finished"]
    until(lambda: runner.left() == 0)


def test_health_and_metrics(runner: Place) -> None:
    assert json.loads(runner.get("/healthz")) == {"status": "ok"}
    assert json.loads(runner.get("/readyz")) == {"status": "ok"}
    assert "modelyard_runner_steps_total" in runner.get("/metrics")


def test_node_secrets_do_not_reach_the_step(runner: Place) -> None:
    step = runner.order("env")
    runner.finished(step)
    secrets = [runner.layout.secret(name) for name in ("s3", "identity", "ray")]
    text = runner.finished(step).log_tail
    assert "MODELYARD_RUN_ID=" in text
    assert not [secret for secret in secrets if secret in text]
    assert "MODELYARD_NODE_" not in text
    assert "RAY_" not in text


def test_steps_wait_for_resources(runner: Place, tmp_path: Path) -> None:
    """Each takes both CPUs, so no two overlap."""
    steps = [runner.order(f"mkdir {tmp_path}/busy && sleep 0.3 && rmdir {tmp_path}/busy", num_cpus=2) for _ in range(3)]
    assert [runner.finished(step).status for step in steps] == ["completed"] * 3


def test_failure_is_reported_and_taken_off_the_queue(runner: Place) -> None:
    result = runner.finished(runner.order("echo why; exit 3"))
    assert (result.status, result.exit_code, result.reason) == ("failed", 3, "the command ended with exit code 3")
    assert result.log_tail.startswith("why")
    until(lambda: runner.left() == 0)


def test_superseded_attempt_is_ended_and_dropped(runner: Place, tmp_path: Path) -> None:
    step = f"s-{uuid4().hex[:8]}"
    runner.scheduler.superseded.add(step)
    runner.order(f"echo $$ > {tmp_path}/pid; sleep 60", step_id=step)
    until(lambda: runner.scheduler.heard(step, "started"))
    until(lambda: runner.left() == 0)
    assert not (tmp_path / "pid").exists() or not lives(pid_in(tmp_path / "pid"))
    assert runner.scheduler.heard(step, "finished") == []


def test_cancel_of_a_running_step(runner: Place, tmp_path: Path) -> None:
    step = runner.order(f"echo $$ > {tmp_path}/pid; sleep 60")
    pid = pid_in(tmp_path / "pid")
    runner.cancel(step)
    assert runner.finished(step).status == "canceled"
    assert not lives(pid)
    until(lambda: runner.left() == 0)


def test_cancel_of_a_step_that_waits(runner: Place, tmp_path: Path) -> None:
    first = runner.order(f"touch {tmp_path}/busy; sleep 60", num_cpus=2)
    until((tmp_path / "busy").exists)
    second = runner.order(f"touch {tmp_path}/never", num_cpus=2)
    until(lambda: "modelyard_runner_underway 2.0" in runner.get("/metrics"))
    runner.cancel(second)
    assert runner.finished(second).reason == "canceled before the command started"
    assert runner.scheduler.heard(second, "started") == []
    runner.cancel(first)
    assert runner.finished(first).status == "canceled"
    assert not (tmp_path / "never").exists()


def test_order_nobody_can_read_becomes_a_dead_letter(runner: Place) -> None:
    dead = runner.left("DEAD")
    runner.jetstream(lambda js: js.publish("work.default.step", b'{"step_id": 1}'))
    until(lambda: runner.left("DEAD") == dead + 1 and runner.left() == 0)

    async def last(js: JetStreamContext) -> dict[str, str]:
        return (await js.get_last_msg("DEAD", "dead.runner-default")).headers or {}

    headers = runner.jetstream(last)
    assert isinstance(headers, dict)
    assert headers["dead-reason"].startswith("not a step order")


def test_scheduler_away_at_the_end(runner: Place, tmp_path: Path) -> None:
    """The order stays the runner's until the scheduler has the result: longer than ack_wait, and without running again."""
    step = runner.order(f"echo run >> {tmp_path}/runs; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    until(lambda: runner.scheduler.heard(step, "started"))
    runner.scheduler.stop()
    try:
        (tmp_path / "go").touch()
        deadline = time.monotonic() + 2 * float(RUNNER["MODELYARD_RUNNER_ACK_WAIT_S"])
        until(lambda: time.monotonic() > deadline)
        assert runner.left() == 1
    finally:
        runner.scheduler.start()
    assert runner.finished(step).status == "completed"
    until(lambda: runner.left() == 0)
    assert (tmp_path / "runs").read_text() == "run\n"
    assert len(runner.scheduler.heard(step, "finished")) == 1


def test_stream_made_anew(runner: Place) -> None:
    """All of NATS's memory lost: the consumer is made again."""

    async def again(js: JetStreamContext) -> None:
        await js.delete_stream("WORK")

    runner.jetstream(again)
    in_thread(create_streams(parts.nats_url(runner.layout)))
    assert runner.finished(runner.order("true")).status == "completed"


def test_killed_runner(runner: Place, tmp_path: Path) -> None:
    """SIGKILL in the middle of a step: its processes end, the order is given out again, the step starts clean and counts once."""
    step = runner.order(
        f"ls ${{{{outputs.o}}}} > {tmp_path}/found; touch ${{{{outputs.o}}}}/half; echo $$ > {tmp_path}/pid; "
        f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; touch ${{{{outputs.o}}}}/whole",
        outputs={"o": {"type": "uri_folder"}},
    )
    until(lambda: runner.scheduler.heard(step, "started"))
    pid = pid_in(tmp_path / "pid")
    runner.signal("runner", signal.SIGKILL)
    until(lambda: not lives(pid))
    (tmp_path / "pid").unlink()
    runner.start_runner()
    pid_in(tmp_path / "pid")
    assert (tmp_path / "found").read_text() == ""
    (tmp_path / "go").touch()
    assert runner.finished(step).status == "completed"
    until(lambda: runner.left() == 0)
    assert len(runner.scheduler.heard(step, "finished")) == 1


def test_stopped_runner_gives_its_orders_back(runner: Place, tmp_path: Path) -> None:
    step = runner.order(f"echo $$ > {tmp_path}/pid; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    pid = pid_in(tmp_path / "pid")
    runner.signal("runner", signal.SIGTERM)
    until(lambda: not lives(pid))
    assert runner.left() == 1
    (tmp_path / "go").touch()
    runner.start_runner()
    assert runner.finished(step).status == "completed"


def test_nats_killed_under_a_running_step(runner: Place, tmp_path: Path) -> None:
    """The step goes on without NATS, is reported, and orders come again after it is back."""
    step = runner.order(f"touch {tmp_path}/here; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done")
    until((tmp_path / "here").exists)
    runner.signal("nats", signal.SIGKILL)
    (tmp_path / "go").touch()
    assert runner.finished(step).status == "completed"
    runner.start_nats()
    assert runner.finished(runner.order("true")).status == "completed"
    until(lambda: runner.left() == 0)
    assert {body["status"] for body in runner.scheduler.heard(step, "finished")} == {"completed"}
