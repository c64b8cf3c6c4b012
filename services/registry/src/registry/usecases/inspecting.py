"""Every model with files is looked into once it is registered: its formats, its inputs and outputs, what is dangerous to load."""

from __future__ import annotations

from typing import Any

from modelyard_contracts.registry import ModelInspected
from modelyard_flavours import inspect
from modelyard_platform import outbox
from modelyard_platform.database import Connection
from modelyard_platform.manifests import IntegrityError
from modelyard_platform.objects import ObjectStore
from modelyard_platform.tree_reader import TreeReader
from modelyard_platform.trees import Tree
from registry.store import version_tasks
from registry.store.version_tasks import VersionTask
from registry.usecases.signing import SOURCE
from registry.usecases.version_files import Stored, VersionFiles
from registry.usecases.version_tasks import Finish


async def inspect_model(files: VersionFiles, task: VersionTask) -> Finish:
    """Nothing is unpickled. Raises PlatformError."""
    assert task.tree is not None
    of = Stored(
        id=task.version_id,
        kind="models",
        name=task.name,
        version=task.version,
        tree=task.tree,
        manifest=task.manifest,
    )
    try:
        found = await files.read(task.cause, of, "inspection", lambda tree: _inspect(files.store, tree))
    except IntegrityError as error:
        refused = ModelInspected(name=task.name, version=task.version, detail=error.detail)
        return lambda tx: _tell(tx, task, refused)

    async def finish(tx: Connection) -> None:
        await version_tasks.set_inspection(tx, task.version_id, found)
        event = ModelInspected(
            name=task.name,
            version=task.version,
            flavours=[flavour["name"] for flavour in found["flavours"]],
            warnings=len(found["warnings"]),
        )
        await _tell(tx, task, event)

    return finish


async def _tell(tx: Connection, task: VersionTask, event: ModelInspected) -> None:
    await outbox.add(tx, SOURCE, event, task.cause)


def _inspect(store: ObjectStore, tree: Tree) -> dict[str, Any]:
    return inspect(TreeReader(store, tree)).document()
