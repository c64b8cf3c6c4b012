"""Registering, finding, labelling, archiving and deleting versions of models, data, environments and components."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from modelyard_contracts import registry as contracts
from modelyard_contracts.registry import AssetKind, Registered
from modelyard_platform import idempotency, outbox, trees
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import NotFoundError
from modelyard_platform.manifests import Signer
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from registry.clients import Scheduler
from registry.domain.assets import ANONYMOUS, AssetVersion, NewVersion, check_alias
from registry.domain.metadata import METADATA, MetadataChange, changed, difference
from registry.domain.references import targets_of
from registry.errors import BlobsMissingError, InUseError, InvalidError, VersionExistsError
from registry.store import assets, cards, profiles, uses, version_tasks
from registry.usecases import resources, signing
from registry.usecases.external import Outside
from registry.usecases.reading import check_content
from registry.usecases.version_files import VersionFiles, stored

SOURCE: Final = "registry"
_SHOWN: Final = tuple(field for field in AssetVersion.__dataclass_fields__ if field != "id")
_REGISTERED: Final[dict[AssetKind, type[Registered]]] = {
    "models": contracts.ModelRegistered,
    "data": contracts.DataRegistered,
    "environments": contracts.EnvironmentRegistered,
    "components": contracts.ComponentRegistered,
}
UPDATED: Final[dict[AssetKind, type[contracts.Updated]]] = {
    "models": contracts.ModelUpdated,
    "data": contracts.DataUpdated,
    "environments": contracts.EnvironmentUpdated,
    "components": contracts.ComponentUpdated,
}
_ALIAS_MOVED: Final[dict[AssetKind, type[contracts.AliasMoved]]] = {
    "models": contracts.ModelAliasMoved,
    "data": contracts.DataAliasMoved,
    "environments": contracts.EnvironmentAliasMoved,
    "components": contracts.ComponentAliasMoved,
}
_ARCHIVED: Final[dict[AssetKind, type[contracts.Archived]]] = {
    "models": contracts.ModelArchived,
    "data": contracts.DataArchived,
    "environments": contracts.EnvironmentArchived,
    "components": contracts.ComponentArchived,
}
DELETED: Final[dict[AssetKind, type[contracts.Deleted]]] = {
    "models": contracts.ModelDeleted,
    "data": contracts.DataDeleted,
    "environments": contracts.EnvironmentDeleted,
    "components": contracts.ComponentDeleted,
}


async def register_version(
    pool: Pool,
    store: ObjectStore,
    scheduler: Scheduler,
    cause: Cause,
    new: NewVersion,
    path: str | None,
    key: str | None,
    signer: Signer | None = None,
    outside: Outside | None = None,
) -> dict[str, Any]:
    """Register a version of anything: its files are complete before it exists, its manifest is signed, and its event goes with it.

    `path` is where its files are: a tree, an output of a job, or somewhere outside (then only the address is kept, of data with its
    digest or ETag).
    """
    tree = await _tree_at(store, scheduler, cause, path)
    if tree is not None:
        new = replace(new, tree=tree.digest, size=tree.size, job=new.job or _job_of(path))
        if new.kind == "data":
            await asyncio.to_thread(check_content, store, new.type, tree)
    external = None
    if outside is not None and new.kind == "data":
        external = await outside.record(await resources.outside_path(pool, cause.workspace, path))
    targets = targets_of(new.spec, cause.workspace)
    async with transaction(pool) as tx:
        request = {"new": new.spec | {"kind": new.kind, "tree": new.tree}, "version": new.version}
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        try:
            version = await assets.insert_version(tx, cause.workspace, cause.actor, new)
        except VersionExistsError:
            if new.name != ANONYMOUS or new.version is None:
                raise
            return document(await assets.require_version(tx, cause.workspace, new.kind, new.name, new.version))
        await resources.hold_datastores(tx, cause.workspace, targets)
        await uses.add_uses(tx, cause.workspace, subject_of(version), targets)
        version = await signing.sign_version(tx, signer, cause, version, tree)
        await outbox.add(tx, SOURCE, registered(version), cause)
        if external is not None:
            version = await profiles.set_external(tx, version, external)
        if version.kind == "data" and (version.tree is not None or (external is not None and external["checked"])):
            await profiles.insert_task(tx, version.id, cause)
        if version.kind == "models" and version.tree is not None:
            await version_tasks.insert_task(tx, version.id, "inspection", cause)
        answer = document(version)
        await idempotency.remember(tx, cause, key, request, answer)
        return answer


def subject_of(version: AssetVersion) -> str:
    """What events, and the versions that stand on it, call a version."""
    return f"{version.kind}/{version.name}/versions/{version.version}"


def registered(version: AssetVersion) -> Registered:
    """The event of a version that now exists."""
    extra = {"environment": version.environment} if version.kind == "models" else {}
    return _REGISTERED[version.kind](
        name=version.name,
        version=version.version,
        type=version.type,
        tree=version.tree,
        manifest=version.manifest,
        size=version.size,
        job=version.job,
        tags=version.tags,
        properties=version.properties,
        **extra,
    )


def _job_of(path: str | None) -> str | None:
    """The job whose output is registered, though the job does not do it itself."""
    return path.split("/")[3] if path is not None and path.startswith("azureml://jobs/") else None


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
    """A tree all of whose blobs are stored, with the sizes that it says. Raises BlobsMissingError, InvalidError."""
    try:
        tree = await asyncio.to_thread(trees.load, store, digest)
    except NotFoundError as error:
        raise BlobsMissingError([f"the tree {digest} itself"]) from error
    if tree.digest != digest:
        raise InvalidError(f"blob {digest} is no tree as they are written: sorted, without spaces", code="tree_invalid")
    blobs = tree.blobs()
    there = await asyncio.to_thread(store.sizes, blobs)
    if missing := blobs.keys() - there.keys():
        raise BlobsMissingError(
            [file.path for file in tree.files if any(piece.sha256 in missing for piece in file.pieces())]
        )
    for digest, size in blobs.items():
        if there[digest] != size:
            raise InvalidError(
                f"blob {digest} has {there[digest]} bytes, not the {size} that the tree says", code="tree_invalid"
            )
    return tree


def document(version: AssetVersion) -> dict[str, Any]:
    """A version as the API answers it: all that is known of it but its row's id."""
    known = {field: getattr(version, field) for field in _SHOWN}
    return known | {
        "aliases": list(version.aliases),
        "deployments": list(version.deployments),
        "created_at": version.created_at.isoformat(),
    }


async def find(tx: Connection, workspace: str, kind: AssetKind, name: str, version: str) -> AssetVersion:
    """By version, or by label when `version` begins with `@`."""
    if version.startswith("@"):
        return await assets.require_label(tx, workspace, kind, name, version[1:])
    return await assets.require_version(tx, workspace, kind, name, version)


async def get_version(pool: Pool, workspace: str, kind: AssetKind, name: str, version: str) -> dict[str, Any]:
    """One version, by number or `@label`."""
    async with transaction(pool) as tx:
        return document(await find(tx, workspace, kind, name, version))


async def read_tree(files: VersionFiles, cause: Cause, kind: AssetKind, name: str, version: str) -> Tree:
    """A version's files. Raises NotFoundError when its content lies outside, IntegrityError."""
    async with transaction(files.pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
    if found.tree is None:
        raise NotFoundError(f"{kind} {name}:{found.version} keeps no files here; its path is {found.spec.get('path')}")
    return await files.tree(cause, stored(found), "tree")


async def update_metadata(
    pool: Pool, cause: Cause, kind: AssetKind, name: str, version: str, change: MetadataChange
) -> dict[str, Any]:
    """Change description, tags, properties or stage: what a version is about, never what it is."""
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        found = await assets.lock_version(tx, cause.workspace, found)
        after = changed(found, change)
        await keep_metadata(tx, cause, found, after)
        return document(after)


async def keep_metadata(tx: Connection, cause: Cause, found: AssetVersion, after: AssetVersion) -> None:
    """Keep what has changed, and say so; nothing when nothing has."""
    before, now = difference(
        {key: getattr(found, key) for key in METADATA}, {key: getattr(after, key) for key in METADATA}
    )
    if not now:
        return
    await assets.update_metadata(tx, after)
    event = UPDATED[found.kind](name=found.name, version=found.version, changed=now, before=before, after=now)
    await outbox.add(tx, SOURCE, event, cause)


async def move_alias(pool: Pool, cause: Cause, kind: AssetKind, name: str, alias: str, version: str) -> dict[str, Any]:
    """Let an alias such as `champion` name a version."""
    check_alias(alias)
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        previous = await assets.move_alias(tx, cause.workspace, found, alias)
        if previous != found.version:
            event = _ALIAS_MOVED[kind](
                name=name,
                version=found.version,
                alias=alias,
                previous=previous,
                before={alias: previous},
                after={alias: found.version},
            )
            await outbox.add(tx, SOURCE, event, cause)
        return document(await assets.require_version(tx, cause.workspace, kind, name, found.version))


async def remove_alias(pool: Pool, cause: Cause, kind: AssetKind, name: str, alias: str) -> None:
    """Take an alias away; what it named stays."""
    async with transaction(pool) as tx:
        previous = await assets.remove_alias(tx, cause.workspace, kind, name, alias)
        if previous is None:
            raise NotFoundError(f"{kind} {name} has no alias {alias!r}")
        event = _ALIAS_MOVED[kind](name=name, version="", alias=alias, previous=previous, before={alias: previous})
        await outbox.add(tx, SOURCE, event, cause)


async def set_archived(
    pool: Pool, cause: Cause, kind: AssetKind, name: str, version: str, *, archived: bool
) -> dict[str, Any]:
    """Hide a version from lists and `latest`, or bring it back. References by number go on working."""
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        found = await assets.lock_version(tx, cause.workspace, found)
        await keep_archived(tx, cause, found, archived=archived)
        return document(replace(found, archived=archived))


async def keep_archived(tx: Connection, cause: Cause, found: AssetVersion, *, archived: bool) -> None:
    """Archive or restore a version, and say so; nothing when it is so already."""
    if found.archived == archived:
        return
    await assets.mark_archived(tx, found, archived=archived)
    event = _ARCHIVED[found.kind](
        name=found.name,
        version=found.version,
        archived=archived,
        before={"archived": found.archived},
        after={"archived": archived},
    )
    await outbox.add(tx, SOURCE, event, cause)


async def delete_version(pool: Pool, cause: Cause, kind: AssetKind, name: str, version: str) -> None:
    """Delete a version for good. Raises InUseError while something stands on it."""
    async with transaction(pool) as tx:
        found = await find(tx, cause.workspace, kind, name, version)
        found = await assets.lock_version(tx, cause.workspace, found)
        await remove_version(tx, cause, found)


async def remove_version(tx: Connection, cause: Cause, found: AssetVersion, *, but_for: Collection[str] = ()) -> None:
    """Delete a version and say so. Users in `but_for` go with it. Raises InUseError."""
    if standing := await uses.users_of(tx, cause.workspace, found, but_for=but_for):
        raise InUseError(found.kind, found.name, found.version, standing)
    await assets.delete_version(tx, cause.workspace, found, cause.actor)
    if found.kind == "models":
        await cards.delete_card(tx, cause.workspace, found.name, found.version)
    await uses.drop_uses(tx, cause.workspace, subject_of(found))
    before = {key: getattr(found, key) for key in (*METADATA, "type", "tree", "archived")}
    event = DELETED[found.kind](
        name=found.name, version=found.version, before=before | {"aliases": list(found.aliases)}
    )
    await outbox.add(tx, SOURCE, event, cause)
