"""Serving in a test's own process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from modelyard_platform import trees
from modelyard_platform.database import transaction
from modelyard_platform.objects import ObjectStore
from modelyard_testing.identities import bearer
from serving import store
from serving.app import build
from serving.domain import deployments as states
from serving.settings import Settings
from serving.usecases.parts import Parts, now
from serving.usecases.publishing import publish_routes


@dataclass(frozen=True, slots=True)
class Served:
    """A running serving: its API, as the owner, and what it was wired with."""

    api: httpx.AsyncClient
    parts: Parts


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[Served]:
    """Serving, while the test is in here."""
    app: FastAPI = build(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://serving", headers=bearer()) as client:
            yield Served(client, app.state.parts)


async def register(
    registry: httpx.AsyncClient, blobs: ObjectStore, folder: Path, name: str = "line", file: str = "model.onnx"
) -> str:
    """A model version of one file, whose content no test here looks at; `name:version`."""
    tree = trees.upload(blobs, _one_file(folder, file))
    answer = await registry.post(
        "/api/v1/models", json={"spec": {"name": name, "path": f"{trees.SCHEME}{tree.digest}"}}
    )
    assert answer.status_code == 201, answer.text
    return f"{name}:{answer.json()['version']}"


def _one_file(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"a model")
    return folder


async def put(api: httpx.AsyncClient, path: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    """PUT a spec that has to be taken."""
    answer = await api.put(f"/api/v1/endpoints/{path}", json={"spec": spec, **more})
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def became_ready(parts: Parts, endpoint: str, name: str) -> None:
    """What the controller writes down when a deployment's replicas answer."""
    async with transaction(parts.pool) as tx:
        deployment = await store.get_deployment(tx, endpoint, name, lock=True)
        assert deployment is not None
        plan = {"num_replicas": 1, "timeout_ms": 7000}
        await store.save_deployment(tx, states.ready(states.starting(deployment, plan, now()), now()))
    await publish_routes(parts, endpoint)


async def told(parts: Parts) -> list[tuple[str, dict[str, Any]]]:
    """The events so far: type and envelope, in order."""
    async with transaction(parts.pool) as tx:
        rows = await tx.fetch("select type, envelope from outbox order by position")
    return [(row["type"], json.loads(row["envelope"])) for row in rows]
