"""Every process of the control plane is killed while work is under way: in the end everything exists exactly once.

500 model versions are registered by four threads, and a pipeline's steps wait for a file each, which this test makes in the moment in which
something that they need has been killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import nats
import psutil
from nats.js.api import ConsumerConfig, DeliverPolicy

from modelyard import Client, ModelyardError
from modelyard_testing.servers import in_thread
from modelyard_testing.stacks import Stack, ended, eventually
from tests.made import code, command
from tests.on_stack import MARKS

pytestmark = MARKS

VERSIONS: Final = 500
THREADS: Final = 4
MODEL: Final = "killed"
VICTIMS: Final = (
    "registry", "builder", "scheduler", "serving", "drift-monitor", "notifier", "gateway", "edge", "runner", "nats", "postgres",
)  # fmt: skip
# Each step's end is brought about just when one of those that must hear of it has been killed.
GATES: Final = {"scheduler": "first", "nats": "second", "postgres": "third"}

STEP: Final = """\
    import pathlib, sys, time

    gate, source, target = map(pathlib.Path, sys.argv[1:])
    while not gate.exists():
        time.sleep(0.05)
    before = (source / "lines").read_text() if source != pathlib.Path("-") else ""
    (target / "lines").write_text(before + gate.name + "\\n")
"""


class Registrations:
    """Registers versions in threads, as many as it is told to."""

    def __init__(self, client: Client, file: Path) -> None:
        self.registered: list[str] = []
        self.failed: list[ModelyardError] = []
        self._client = client
        self._file = file
        self._numbers: queue.Queue[int | None] = queue.Queue()
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def ask(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._numbers.put(number)

    def wait_for_one_more(self) -> None:
        before = len(self.registered)
        eventually(lambda: self.failed or len(self.registered) > before, 150)

    def finish(self) -> None:
        """Wait until everything asked for is done."""
        for _ in self._threads:
            self._numbers.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (number := self._numbers.get()) is not None:
            spec = {"name": MODEL, "type": "custom_model", "path": str(self._file), "tags": {"number": str(number)}}
            try:
                self.registered.append(self._client.models.create(spec)["version"])
            except ModelyardError as error:
                self.failed.append(error)


def pipeline(folder: Path, gates: Path) -> dict[str, Any]:
    """Three steps, one after the other, each waiting for its gate."""
    files = {"type": "uri_folder"}
    jobs: dict[str, Any] = {}
    source: dict[str, Any] = {}
    for name in GATES.values():
        arguments = f"{gates / name} {'${{inputs.source}}' if source else '-'} ${{{{outputs.target}}}}"
        jobs[name] = command(folder, f"python step.py {arguments}", inputs=source, outputs={"target": files})
        source = {"source": f"${{{{parent.jobs.{name}.outputs.target}}}}"}
    jobs["third"]["outputs"] = {"target": "${{parent.outputs.lines}}"}
    return {"type": "pipeline", "outputs": {"lines": files}, "jobs": jobs}


def kill(stack: Stack, name: str) -> None:
    pid = stack.part(name).pid
    assert pid is not None
    victim = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: ended([victim]))


def wait_until_back(stack: Stack, name: str, restarts: int) -> None:
    def back() -> bool:
        part = stack.part(name)
        return part.restarts > restarts and part.state == "ready"

    eventually(back, 90)


async def events_in_stream(url: str, subject: str) -> list[dict[str, Any]]:
    """Every event of a subject that the stream EVENTS has."""
    connection = await nats.connect(url, allow_reconnect=False)
    try:
        jetstream = connection.jetstream()
        found: list[dict[str, Any]] = []
        reader = await jetstream.pull_subscribe(
            subject, stream="EVENTS", config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL, inactive_threshold=30)
        )
        async with asyncio.timeout(60):
            while True:
                try:
                    messages = await reader.fetch(256, timeout=2)
                except TimeoutError:  # nothing more
                    return found
                for message in messages:
                    found.append(json.loads(message.data))
                    await message.ack()
    finally:
        await connection.close()


def test_everything_is_killed_in_turn(stack: Stack, client: Client, tmp_path: Path) -> None:
    gates = tmp_path / "gates"
    gates.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"the same for all")
    job = client.jobs.create(pipeline(code(tmp_path / "src", step=STEP), gates))["name"]
    eventually(lambda: client.jobs.get(job)["steps"][0]["status"] == "running", 60)
    restarts = {name: stack.part(name).restarts for name in VICTIMS}

    registrations = Registrations(client, tmp_path / "weights.bin")
    share = VERSIONS // len(VICTIMS)
    try:
        for turn, name in enumerate(VICTIMS):
            last = VERSIONS if name == VICTIMS[-1] else (turn + 1) * share
            registrations.ask(range(turn * share, last))
            registrations.wait_for_one_more()
            kill(stack, name)
            if name in GATES:
                (gates / GATES[name]).touch()
            wait_until_back(stack, name, restarts[name])
    finally:
        registrations.finish()
    assert registrations.failed == []

    # All versions, once each, without a gap; each request became one version.
    versions = client.models.list(MODEL)
    assert sorted(int(found["version"]) for found in versions) == list(range(1, VERSIONS + 1))
    assert sorted(registrations.registered, key=int) == [str(number) for number in range(1, VERSIONS + 1)]
    assert Counter(found["tags"]["number"] for found in versions) == Counter(map(str, range(VERSIONS)))

    # The pipeline completes, every step once.
    done = client.jobs.wait(job, timeout_s=120)
    assert done["status"] == "completed", done["detail"]
    assert [step["status"] for step in done["steps"]] == ["completed"] * 3
    folder = client.jobs.download(job, "lines", target=tmp_path)
    assert (folder / "lines" / "lines").read_text() == "first\nsecond\nthird\n"

    # One event each, in the stream and in the registry's log.
    def registered() -> Counter[str]:
        return Counter(
            event["data"]["version"]
            for event in client.events.list(type="model.registered", limit=None)
            if event["data"]["name"] == MODEL
        )

    once = Counter(map(str, range(1, VERSIONS + 1)))
    eventually(lambda: registered().total() >= VERSIONS, 60)
    assert registered() == once
    streamed = in_thread(events_in_stream(stack.document()["nats"], "modelyard.default.model.registered"))
    assert Counter(event["data"]["version"] for event in streamed if event["data"]["name"] == MODEL) == once
    assert len({event["id"] for event in streamed}) == len(streamed)
    finished = in_thread(events_in_stream(stack.document()["nats"], "modelyard.default.job.completed"))
    assert [event["data"]["job"] for event in finished].count(job) == 1
    steps = in_thread(events_in_stream(stack.document()["nats"], "modelyard.default.step.completed"))
    assert [event["data"]["step"] for event in steps if event["data"]["job"] == job] == ["first", "second", "third"]

    # Nothing that came by NATS was given up, and everything runs.
    assert client.dead_letters.list() == []
    assert all(part["state"] in {"ready", "done"} for part in stack.document()["parts"])
