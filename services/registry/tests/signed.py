"""What the tests of signed versions share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from modelyard_contracts import Event
from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree

Publish = Callable[..., Awaitable[Event[Any]]]
"""Publishes an event (of a `workspace`) as the relay of its owner does, and gives it back."""


def uploaded(store: ObjectStore, folder: Path, **files: bytes) -> Tree:
    folder.mkdir()
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return trees.upload(store, folder)


async def register(api: httpx.AsyncClient, tree: Tree, kind: str = "models", **spec: Any) -> dict[str, Any]:
    path = f"modelyard://trees/{tree.digest}"
    files: dict[str, dict[str, Any]] = {
        "models": {"path": path},
        "data": {"path": path},
        "components": {
            "type": "command",
            "command": "true",
            "environment": "azureml://registries/azureml/environments/sklearn-1.5",
            "code": path,
        },
        "environments": {"build": {"path": path}},
    }
    body = {"spec": {"name": "late", **files[kind], **spec}}
    answer = await api.post(f"/api/v1/{kind}", json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def events(database: str, type_: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("select envelope from outbox where type = $1 order by sequence", type_)
    finally:
        await connection.close()
    return [json.loads(row["envelope"]) for row in rows]
