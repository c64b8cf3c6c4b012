"""People and callers, as tests play them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import nats

from modelyard.stack import Layout
from modelyard.stack.parts import nats_url, postgres_dsn
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_testing.conditions import eventually
from serving.clients.routes import Routes


async def register(registry: httpx.AsyncClient, store: ObjectStore, name: str, path: Path) -> str:
    """A new version of a model made of a file or folder; its number."""
    tree = trees.upload(store, path)
    answer = await registry.post(
        "/api/v1/models", json={"spec": {"name": name, "path": f"{trees.SCHEME}{tree.digest}"}}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["version"])


async def put(api: httpx.AsyncClient, path: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """PUT a spec that has to be taken."""
    answer = await api.put(f"/api/v1/endpoints/{path}", json={"spec": spec, **more})
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def settled(api: httpx.AsyncClient, endpoint: str, deployment: str, status: str) -> dict[str, Any]:
    """The deployment once it has this status. Fails at once when it has failed instead."""

    async def check() -> dict[str, Any] | None:
        document: dict[str, Any] = (await api.get(f"/api/v1/endpoints/{endpoint}/deployments/{deployment}")).json()
        if status != "failed":
            assert document["status"] != "failed", document["detail"]
        return document if document["status"] == status else None

    found = await eventually(check, within_s=90)
    assert found is not None
    return found


async def gone(api: httpx.AsyncClient, path: str) -> None:
    """Waits until there is nothing at a path any more."""

    async def check() -> bool:
        return (await api.get(f"/api/v1/endpoints/{path}")).status_code == 404

    await eventually(check, within_s=90)


async def bucket(layout: Layout) -> dict[str, dict[str, Any]]:
    """All that is in `routes`."""
    connection = await nats.connect(nats_url(layout))
    try:
        routes = Routes(connection.jetstream)
        replicas = {replica.key: asdict(replica) for replica in await routes.replicas()}
        return replicas | {f"endpoint.{name}": told.entry for name, told in (await routes.endpoints()).items()}
    finally:
        await connection.close()


async def events(layout: Layout, endpoint: str) -> list[tuple[str, dict[str, Any]]]:
    """What serving has told of an endpoint and its deployments: type without prefix, and data, in order."""
    connection = await asyncpg.connect(postgres_dsn(layout, "serving"))
    try:
        rows = await connection.fetch("select type, envelope from outbox order by position")
    finally:
        await connection.close()
    told = [(row["type"], json.loads(row["envelope"])["data"]) for row in rows]
    return [(kind, data) for kind, data in told if data["endpoint"] == endpoint]


ROW = {"input_data": {"columns": ["a", "b"], "data": [[1.0, 2.0]]}}


class Caller:
    """Scores through the routes as an edge does: only replicas of the live generation, another one when a connection is refused."""

    def __init__(self, layout: Layout, endpoint: str, deployment: str) -> None:
        self._layout = layout
        self._endpoint = endpoint
        self._deployment = deployment
        self._http = httpx.AsyncClient(timeout=10)
        self.answers: list[float] = []
        self.failures: list[str] = []

    async def score(self) -> float:
        """One row's prediction: 1 + 2 and the model's constant. Raises AssertionError when no replica answers."""
        why = "no replica of the live generation is announced"
        for _ in range(20):
            for replica in await self._replicas():
                try:
                    answer = await self._http.post(f"http://{replica['host']}:{replica['port']}/score", json=ROW)
                except httpx.ConnectError as error:
                    why = repr(error)
                    continue
                assert answer.status_code == 200, answer.text
                return round(float(answer.json()[0]), 3)
            await asyncio.sleep(0.05)
        raise AssertionError(why)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Scores all the time, until left; `answers` and `failures` tell what came of it."""

        stop = (
            asyncio.Event()
        )  # not a cancellation: nats-py waits with wait_for, which may swallow one in Python 3.11 (gh-86296)

        async def work() -> None:
            while not stop.is_set():
                try:
                    self.answers.append(await self.score())
                except (AssertionError, httpx.HTTPError) as error:
                    self.failures.append(repr(error))
                await asyncio.sleep(0.02)

        task = asyncio.create_task(work())
        try:
            yield
        finally:
            stop.set()
            await task
            await self._http.aclose()

    async def _replicas(self) -> list[dict[str, Any]]:
        table = await bucket(self._layout)
        live = table[f"endpoint.{self._endpoint}"]["generations"][self._deployment]
        prefix = f"replica.{self._endpoint}.{self._deployment}."
        return [entry for key, entry in table.items() if key.startswith(prefix) and entry["generation"] == live]
