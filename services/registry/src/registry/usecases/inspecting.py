"""Every model with files is looked into once it is registered: its formats, its inputs and outputs, what is dangerous to load."""

from __future__ import annotations

import asyncio
from typing import Any

from modelyard_contracts.registry import ModelInspected
from modelyard_flavours import inspect
from modelyard_platform import outbox, trees
from modelyard_platform.database import Connection
from modelyard_platform.objects import ObjectStore
from modelyard_platform.tree_reader import TreeReader
from registry.store import version_tasks
from registry.store.version_tasks import VersionTask
from registry.usecases.signing import SOURCE
from registry.usecases.version_tasks import Finish


async def inspect_model(store: ObjectStore, task: VersionTask) -> Finish:
    """Nothing is unpickled. Raises PlatformError."""
    assert task.tree is not None
    found = await asyncio.to_thread(_inspect, store, task.tree)

    async def finish(tx: Connection) -> None:
        await version_tasks.set_inspection(tx, task.version_id, found)
        event = ModelInspected(
            name=task.name,
            version=task.version,
            flavours=[flavour["name"] for flavour in found["flavours"]],
            warnings=len(found["warnings"]),
        )
        await outbox.add(tx, SOURCE, event, task.cause)

    return finish


def _inspect(store: ObjectStore, digest: str) -> dict[str, Any]:
    return inspect(TreeReader(store, trees.load(store, digest))).document()
