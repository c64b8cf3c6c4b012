"""What the scheduler's tests share: applications on real ports, a runner, a builder's one route, specifications."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import nats
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from nats.js.api import AckPolicy, ConsumerConfig

from modelyard_contracts import Event, decode
from modelyard_contracts.work import StepOrder, StepResult
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer
from scheduler.settings import Settings


@asynccontextmanager
async def on_port(app: FastAPI) -> AsyncIterator[str]:
    """An application behind a real socket, with its lifespan: its URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(30):
            while not server.started:
                if serving.done():
                    serving.result()
                    raise RuntimeError("the server ended while it started")
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def builder_app() -> FastAPI:
    """The builder's one route that the scheduler calls: a specification with `unsolvable` in it cannot be locked."""
    app = FastAPI()
    app.state.calls = []

    @app.post("/api/v1/environment-locks")
    async def lock(request: Request) -> JSONResponse:
        spec = (await request.json())["spec"]
        app.state.calls.append(spec)
        if "unsolvable" in json.dumps(spec):
            problem = {"status": 400, "code": "environment_unsolvable", "detail": "no version of `unsolvable` exists"}
            return JSONResponse(problem, 400, media_type="application/problem+json")
        return JSONResponse({"digest": hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()})

    return app


def put_files(store: ObjectStore, files: dict[str, str]) -> str:
    """A tree with these files; returns its digest."""
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return trees.upload(store, Path(folder)).digest


@dataclass
class Runner:
    """Takes orders and reports over HTTP as the real one does. A command that says `fail` fails, one that says `hang` is left
    running; any other writes into each output what it was given."""

    nats_url: str
    scheduler_url: str
    store: ObjectStore
    orders: list[StepOrder] = field(default_factory=list)
    recalled: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Runner]:
        connection = await nats.connect(self.nats_url)
        jetstream = connection.jetstream()
        config = ConsumerConfig(
            durable_name="runner", filter_subject="work.default.step", ack_policy=AckPolicy.EXPLICIT, ack_wait=2
        )

        async def on_control(message: Any) -> None:
            self.recalled.append(json.loads(message.data)["cancel"])

        await connection.subscribe("work.control", cb=on_control)
        async with httpx.AsyncClient(base_url=self.scheduler_url, headers=bearer("service", "service:runner")) as http:

            async def work() -> None:
                while True:
                    with suppress(nats.errors.Error, TimeoutError, httpx.TransportError):
                        await jetstream.add_consumer("WORK", config)
                        subscription = await jetstream.pull_subscribe_bind(consumer="runner", stream="WORK")
                        while True:
                            for message in await subscription.fetch(1, timeout=1):
                                await self._take(jetstream, http, message)

            task = asyncio.create_task(work())
            try:
                yield self
            finally:
                while (
                    not task.done()
                ):  # nats-py waits with wait_for, which may swallow a cancellation in Python 3.11 (gh-86296)
                    task.cancel()
                    await asyncio.wait({task}, timeout=1)
                await connection.close()

    async def _take(self, jetstream: Any, http: httpx.AsyncClient, message: Any) -> None:
        order = StepOrder.model_validate_json(message.data)
        self.orders.append(order)
        path = f"/internal/v1/steps/{order.step_id}/attempts/{order.attempt}"
        answer = await http.post(f"{path}/started", json={"node": "here"})
        if answer.status_code == 409:
            await message.ack()
            return
        assert answer.status_code == 204, answer.text
        line = f"runs {order.command}\n".encode()
        await jetstream.publish(
            f"logs.{order.workspace}.{order.job}.{order.step}",
            line,
            headers={"attempt": str(order.attempt), "stream": "stdout"},
        )
        if "hang" in order.command:
            return
        result = await asyncio.to_thread(self._result, order, line)
        answer = await http.post(f"{path}/finished", json=result.model_dump(mode="json"))
        assert answer.status_code in (204, 409), answer.text
        await message.ack()

    def _result(self, order: StepOrder, line: bytes) -> StepResult:
        log = self.store.put_bytes(line)
        if "fail" in order.command:
            return StepResult(
                status="failed", exit_code=3, reason="exit code 3", log=log, log_tail=line.decode(), node="here"
            )
        work = json.dumps([order.command, {name: given.model_dump() for name, given in order.inputs.items()}])
        outputs = {name: put_files(self.store, {"result.txt": f"{name} of {work}"}) for name in order.outputs}
        return StepResult(
            status="completed", exit_code=0, log=log, log_tail=line.decode(), outputs=outputs, node="here", seconds=0.1
        )


ENDED = {"completed", "failed", "canceled"}


@dataclass(frozen=True, kw_only=True)
class World:
    """The scheduler and its neighbours."""

    settings: Settings
    scheduler: httpx.AsyncClient
    registry: httpx.AsyncClient
    builder: FastAPI
    store: ObjectStore
    nats_url: str
    url: str

    def runner(self) -> Runner:
        return Runner(self.nats_url, self.url, self.store)

    async def submit(self, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = await self.scheduler.post("/api/v1/jobs", json={"spec": spec, **more})
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def job(self, name: str) -> dict[str, Any]:
        answer = await self.scheduler.get(f"/api/v1/jobs/{name}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def until(
        self, name: str, holds: Callable[[dict[str, Any]], bool], *, within_s: float = 20
    ) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            document = await self.job(name)
            return document if holds(document) else None

        found = await eventually(look, within_s=within_s)
        assert found is not None
        return found

    async def ended(self, name: str, *, within_s: float = 20) -> dict[str, Any]:
        return await self.until(name, lambda document: document["status"] in ENDED, within_s=within_s)


async def events_of(nats_url: str) -> list[Event[Any]]:
    """Everything on the EVENTS stream, in order."""
    connection = await nats.connect(nats_url)
    try:
        jetstream = connection.jetstream()
        last = (await jetstream.stream_info("EVENTS")).state.last_seq
        return [decode((await jetstream.get_msg("EVENTS", number)).data or b"") for number in range(1, last + 1)]
    finally:
        await connection.close()


ENVIRONMENT = {"conda_file": {"name": "e", "dependencies": ["python=3.11", "pip", {"pip": ["pandas"]}]}}


def command(text: str = "echo ${{inputs.rate}}", **more: Any) -> dict[str, Any]:
    return {"type": "command", "command": text, "environment": ENVIRONMENT, "inputs": {"rate": 0.5}} | more


def pipeline(data: str, **more: Any) -> dict[str, Any]:
    """prep → train: the model is a named output of the pipeline."""
    return {
        "type": "pipeline",
        "inputs": {"raw": {"type": "uri_file", "path": data}, "rate": 0.1},
        "outputs": {"model": {"type": "custom_model", "name": "delay"}},
        "jobs": {
            "prep": {
                "type": "command",
                "command": "prep ${{inputs.raw}} ${{outputs.clean}}",
                "environment": ENVIRONMENT,
                "inputs": {"raw": "${{parent.inputs.raw}}"},
                "outputs": {"clean": {"type": "uri_folder"}},
            },
            "train": {
                "type": "command",
                "command": "train ${{inputs.clean}} --rate ${{inputs.rate}} ${{outputs.model}}",
                "environment": ENVIRONMENT,
                "inputs": {"clean": "${{parent.jobs.prep.outputs.clean}}", "rate": "${{parent.inputs.rate}}"},
                "outputs": {"model": "${{parent.outputs.model}}"},
            },
        },
    } | more
