"""Registering, finding, labelling, archiving and deleting versions of models, data, environments and components."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any, Final

from modelyard_contracts.registry import (
    AssetKind,
    ComponentRegistered,
    DataRegistered,
    EnvironmentRegistered,
    ModelAliasMoved,
    ModelArchived,
    ModelDeleted,
    ModelRegistered,
    ModelUpdated,
    Registered,
)
from modelyard_platform import idempotency, outbox, trees
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import NotFoundError
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from registry.clients import Scheduler
from registry.domain.assets import NEWEST, AssetVersion, NewVersion, check_alias
from registry.errors import BlobsMissingError, InUseError
from registry.store import assets, profiles

SOURCE: Final = "registry"
_EVENTS: Final[dict[AssetKind, type[Registered]]] = {
    "models": ModelRegistered,
    "data": DataRegistered,
    "environments": EnvironmentRegistered,
    "components": ComponentRegistered,
}


async def register_version(
    pool: Pool,
    store: ObjectStore,
    scheduler: Scheduler,
    cause: Cause,
    new: NewVersion,
    path: str | None,
    key: str | None,
) -> dict[str, Any]:
    """Register a version of anything: its files are complete before it exists, and its event goes with it.

    `path` is where its files are: a tree, an output of a job, or somewhere outside (then only the address is kept).
    """
    tree = await _tree_at(store, scheduler, cause, path)
    if tree is not None:
        new = replace(new, tree=tree.digest, size=tree.size)
    async with transaction(pool) as tx:
        request = {"new": new.spec | {"kind": new.kind, "tree": new.tree}, "version": new.version}
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        version = await assets.insert_version(tx, cause.workspace, cause.actor, new)
        await outbox.add(tx, SOURCE, _registered(version), cause)
        if version.kind == "data" and version.tree is not None:
            await profiles.insert_task(tx, version.id, cause)
        answer = document(version)
        await idempotency.remember(tx, cause, key, request, answer)
        return answer


def _registered(version: AssetVersion) -> Registered:
    extra = {"environment": version.environment} if version.kind == "models" else {}
    return _EVENTS[version.kind](
        name=version.name,
        version=version.version,
        type=version.type,
        tree=version.tree,
        size=version.size,
        job=version.job,
        tags=version.tags,
        properties=version.properties,
        **extra,
    )


async def _tree_at(store: ObjectStore, scheduler: Scheduler, cause: Cause, path: str | None) -> Tree | None:
    if path is None:
        return None
    if path.startswith(trees.SCHEME):
        return await _complete_tree(store, path.removeprefix(trees.SCHEME))
    if path.startswith("azureml://jobs/"):
        digest, below = await scheduler.output_tree(cause.workspace, path)
        tree = await _complete_tree(store, digest)
        part = tree.below(below)
        if part is not tree:
            await asyncio.to_thread(store.put_bytes, part.document())
        return part
    return None


async def _complete_tree(store: ObjectStore, digest: str) -> Tree:
    """A tree all of whose files are stored. Raises BlobsMissingError."""
    try:
        tree = await asyncio.to_thread(trees.load, store, digest)
    except NotFoundError as error:
        raise BlobsMissingError([f"the tree {digest} itself"]) from error
    missing = await asyncio.to_thread(store.missing, {file.sha256 for file in tree.files})
    if missing:
        raise BlobsMissingError([file.path for file in tree.files if file.sha256 in missing])
    return tree


def document(version: AssetVersion) -> dict[str, Any]:
    """A version as the API answers it: all that is known of it but its row's id."""
    known = asdict(version)
    del known["id"]
    return known | {"aliases": list(version.aliases), "created_at": version.created_at.isoformat()}


async def find(tx: Connection, workspace: str, kind: AssetKind, name: str, version: str) -> AssetVersion:
    """By version, or by label when `version` begins with `@`."""
    if version.startswith("@"):
        return await assets.require_label(tx, workspace, kind, name, version[1:])
    return await assets.require_version(tx, workspace, kind, name, version)


async def get_version(pool: Pool, workspace: str, kind: AssetKind, name: str, version: str) -> dict[str, Any]:
    """One version, by number or `@label`."""
    async with transaction(pool) as tx:
        return document(await find(tx, workspace, kind, name, version))


async def read_tree(pool: Pool, store: ObjectStore, workspace: str, kind: AssetKind, name: str, version: str) -> Tree:
    """A version's files. Raises NotFoundError when its content lies outside."""
    async with transaction(pool) as tx:
        found = await find(tx, workspace, kind, name, version)
    if found.tree is None:
        raise NotFoundError(f"{kind} {name}:{found.version} keeps no files here; its path is {found.spec.get('path')}")
    return await asyncio.to_thread(trees.load, store, found.tree)


async def update_metadata(
    pool: Pool, cause: Cause, kind: AssetKind, name: str, version: str, changes: dict[str, Any]
) -> dict[str, Any]:
    """Change description, tags, properties or stage: what a version is about, never what it is."""
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        await assets.update_metadata(
            tx,
            cause.workspace,
            found,
            description=changes.get("description"),
            tags=changes.get("tags"),
            properties=changes.get("properties"),
            stage=changes.get("stage"),
        )
        if kind == "models":
            await outbox.add(tx, SOURCE, ModelUpdated(name=name, version=found.version, changed=changes), cause)
        return document(await assets.require_version(tx, cause.workspace, kind, name, found.version))


async def move_alias(pool: Pool, cause: Cause, kind: AssetKind, name: str, alias: str, version: str) -> dict[str, Any]:
    """Let an alias such as `champion` name a version."""
    check_alias(alias)
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        previous = await assets.move_alias(tx, cause.workspace, found, alias)
        if kind == "models" and previous != found.version:
            moved = ModelAliasMoved(name=name, version=found.version, alias=alias, previous=previous)
            await outbox.add(tx, SOURCE, moved, cause)
        return document(await assets.require_version(tx, cause.workspace, kind, name, found.version))


async def remove_alias(pool: Pool, cause: Cause, kind: AssetKind, name: str, alias: str) -> None:
    """Take an alias away; what it named stays."""
    async with transaction(pool) as tx:
        previous = await assets.remove_alias(tx, cause.workspace, kind, name, alias)
        if previous is None:
            raise NotFoundError(f"{kind} {name} has no alias {alias!r}")
        if kind == "models":
            await outbox.add(tx, SOURCE, ModelAliasMoved(name=name, version="", alias=alias, previous=previous), cause)


async def set_archived(
    pool: Pool, cause: Cause, kind: AssetKind, name: str, version: str, *, archived: bool
) -> dict[str, Any]:
    """Hide a version from lists and `latest`, or bring it back. References by number go on working."""
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        await assets.mark_archived(tx, cause.workspace, found, archived=archived)
        if kind == "models" and found.archived != archived:
            event = ModelArchived(name=name, version=found.version, archived=archived)
            await outbox.add(tx, SOURCE, event, cause)
        return document(replace(found, archived=archived))


async def delete_version(pool: Pool, cause: Cause, kind: AssetKind, name: str, version: str) -> None:
    """Delete a version for good. Raises InUseError while a deployment stands on it."""
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        if users := await assets.users_of(tx, cause.workspace, found):
            raise InUseError(kind, name, found.version, users)
        await assets.delete_version(tx, cause.workspace, found)
        if kind == "models":
            await outbox.add(tx, SOURCE, ModelDeleted(name=name, version=found.version), cause)


async def list_versions(
    pool: Pool,
    workspace: str,
    kind: AssetKind,
    name: str,
    *,
    tags: dict[str, str],
    archived: bool,
    before: int,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of a name's versions, newest first, and the cursor of the next page."""
    async with transaction(pool) as tx:
        found = await assets.list_versions(
            tx, workspace, kind, name, tags=tags, archived=archived, before=before, limit=limit + 1
        )
        if not found and not tags and before == NEWEST:
            await assets.require_label(tx, workspace, kind, name, "latest")
    page = found[:limit]
    return [document(version) for version in page], str(page[-1].id) if len(found) > limit else None


async def list_newest(
    pool: Pool,
    workspace: str,
    kind: AssetKind,
    *,
    pattern: str,
    tags: dict[str, str],
    archived: bool,
    after: str,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the newest version of each name that matches `pattern` (`*` stands for anything), by name."""
    like = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_").replace("*", "%")
    async with transaction(pool) as tx:
        found = await assets.list_newest(
            tx, workspace, kind, pattern=like, tags=tags, archived=archived, after=after, limit=limit + 1
        )
    page = found[:limit]
    return [document(version) for version in page], page[-1].name if len(found) > limit else None
