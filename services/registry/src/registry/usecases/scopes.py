"""Workspaces, each closed to the others, and the shared registries between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from modelyard_contracts.workspaces import (
    SharedRegistryCreated,
    SharedRegistryDeleted,
    SharedRegistryUpdated,
    TokenCreated,
    WorkspaceCreated,
    WorkspaceDeleted,
)
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import ConflictError, ForbiddenError, NotFoundError, PreconditionError
from registry.domain.assets import check_tags, check_text
from registry.domain.scopes import BEGINS, CURATED, ENDS, FIRST, check_scope, registry_scope
from registry.errors import InvalidError, ScopeInUseError
from registry.store import scopes, tokens
from registry.store.scopes import Table
from registry.usecases.assets import SOURCE
from registry.usecases.tokens import hash_token, new_token

_DELETED: Final[dict[Table, type[WorkspaceDeleted | SharedRegistryDeleted]]] = {
    "workspaces": WorkspaceDeleted,
    "registries": SharedRegistryDeleted,
}
_CALLED: dict[Table, str] = {"workspaces": "workspace", "registries": "registry"}
_MOST_STANDING: Final = 100


async def create_workspace(
    pool: Pool, cause: Cause, name: str, description: str, tags: dict[str, str]
) -> dict[str, Any]:
    """A workspace, and the token of its first owner, shown this once. For owners of the first workspace.

    Raises ConflictError when the name is taken. A client that lost the answer deletes the empty workspace and makes it again: a token
    is not kept anywhere to be answered twice.
    """
    _require_first(cause, "makes workspaces")
    check_scope(name, "workspace")
    check_tags(tags)
    check_text(description, "description")
    token = new_token()
    async with transaction(pool) as tx:
        made = await scopes.insert_workspace(tx, name=name, description=description, tags=tags, actor=cause.actor)
        if made is None:
            raise _taken("workspaces", name)
        await outbox.add(tx, SOURCE, WorkspaceCreated(name=name, description=description), cause)
        await tokens.insert_token(
            tx, name, sha256=hash_token(token), name="owner", role="owner", created_by=cause.actor, expires_at=None
        )
        within = replace(cause, workspace=name)
        await outbox.add(tx, SOURCE, TokenCreated(token="owner", role="owner"), within)  # noqa: S106 - its name
    return made | {"token": token}


async def create_registry(
    pool: Pool,
    cause: Cause,
    name: str,
    description: str,
    tags: dict[str, str],
    writers: Collection[str],
    key: str | None,
) -> dict[str, Any]:
    """A shared registry, for owners of the first workspace. That workspace and the `writers` may share into it. Raises ConflictError."""
    _require_first(cause, "makes registries")
    check_scope(name, "registry")
    if name == CURATED:
        raise InvalidError(f"{CURATED!r} is the registry of the curated environments", path="name")
    check_tags(tags)
    check_text(description, "description")
    request = {"registry": name, "description": description, "tags": tags, "writers": sorted(writers)}
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        await _check_workspaces(tx, writers, "writers")
        made = await scopes.insert_registry(
            tx, name=name, description=description, tags=tags, actor=cause.actor, writers={FIRST, *writers}
        )
        if made is None:
            raise _taken("registries", name)
        event = SharedRegistryCreated(name=name, description=description, writers=made["writers"])
        await outbox.add(tx, SOURCE, event, cause)
        await idempotency.remember(tx, cause, key, request, made | {"created_at": made["created_at"].isoformat()})
        return made


async def update_registry(
    pool: Pool, cause: Cause, name: str, description: str | None, add: Collection[str], remove: Collection[str]
) -> dict[str, Any]:
    """Change what a registry is for, or which workspaces may share into it: for owners of the first workspace, which always may.

    Raises InvalidError, NotFoundError.
    """
    _require_first(cause, "changes registries")
    check_text(description, "description")
    if FIRST in remove:
        raise InvalidError(f"the workspace {FIRST!r}, whose owners make registries, stays", path="remove_writers")
    async with transaction(pool) as tx:
        known = (await require_registry(tx, name))["writers"]
        await _check_workspaces(tx, add, "add_writers")
        await _check_workspaces(tx, {*remove}.difference(known), "remove_writers")
        await scopes.lock_scope(tx, "registries", name)
        found = await require_registry(tx, name)
        before = {"description": found["description"], "writers": found["writers"]}
        says = found["description"] if description is None else description
        writers = sorted({*found["writers"], *add}.difference(remove))
        after = {"description": says, "writers": writers}
        if after != before:
            await scopes.update_registry(tx, name, says, writers)
            event = SharedRegistryUpdated(name=name, description=says, writers=writers, before=before, after=after)
            await outbox.add(tx, SOURCE, event, cause)
        return found | after


async def _check_workspaces(tx: Connection, names: Collection[str], path: str) -> None:
    """They are there, and stay until the transaction ends. Raises InvalidError, saying which there are; only owners of the first
    workspace, who may know all, come here."""
    held = await scopes.hold_workspaces(tx, names)
    for name in names:
        if name not in held:
            there = ", ".join(str(found["name"]) for found in await scopes.list_scopes(tx, "workspaces"))
            raise InvalidError(f"there is no workspace {name!r}; there are {there}", path=path)


def _taken(table: Table, name: str) -> ConflictError:
    return ConflictError(f"there is a {_CALLED[table]} named {name!r}", code=f"{_CALLED[table]}_exists")


async def list_workspaces(pool: Pool, workspace: str) -> list[dict[str, Any]]:
    """All of them for the first workspace, its own for every other."""
    async with transaction(pool) as tx:
        return await scopes.list_scopes(tx, "workspaces", None if workspace == FIRST else workspace)


async def get_workspace(pool: Pool, workspace: str, name: str) -> dict[str, Any]:
    """One workspace. Raises NotFoundError, also for one that is none of the caller's business."""
    async with transaction(pool) as tx:
        found = await scopes.list_scopes(tx, "workspaces", name) if workspace in (FIRST, name) else []
    if not found:
        raise NotFoundError(f"there is no workspace {name!r}")
    return found[0]


async def list_registries(pool: Pool, workspace: str) -> list[dict[str, Any]]:
    """All shared registries. Of their writers a workspace sees itself; the first one sees all."""
    async with transaction(pool) as tx:
        return [_seen_by(workspace, found) for found in await scopes.list_scopes(tx, "registries")]


async def require_registry(tx: Connection, name: str) -> dict[str, Any]:
    """One shared registry. Raises NotFoundError, saying which there are."""
    found = await scopes.list_scopes(tx, "registries")
    for one in found:
        if one["name"] == name:
            return one
    there = ", ".join(str(one["name"]) for one in found) or "none yet"
    raise NotFoundError(f"there is no registry {name!r}; there are {there}", code="registry_not_found")


async def get_registry(pool: Pool, workspace: str, name: str) -> dict[str, Any]:
    """One shared registry, as `list_registries` shows it. Raises NotFoundError."""
    async with transaction(pool) as tx:
        return _seen_by(workspace, await require_registry(tx, name))


def _seen_by(workspace: str, registry: dict[str, Any]) -> dict[str, Any]:
    return registry | {"writers": [name for name in registry["writers"] if workspace in (FIRST, name)]}


async def require_writer(tx: Connection, workspace: str, name: str) -> None:
    """That a workspace may share into a registry, which stays until the transaction ends. Raises NotFoundError, ForbiddenError."""
    await scopes.hold_registry(tx, name)
    if workspace not in (await require_registry(tx, name))["writers"]:
        raise ForbiddenError(
            f"the registry {name!r} takes nothing from the workspace {workspace!r}; an owner of the workspace {FIRST!r} lets it in with "
            f"`modelyard registry update --name {name} --add-writer {workspace}`",
            code="registry_not_writable",
        )


async def registry_read(pool: Pool, name: str) -> str:
    """The scope of a shared registry. Raises NotFoundError."""
    async with transaction(pool) as tx:
        await require_registry(tx, name)
    return registry_scope(name)


async def registry_write(pool: Pool, cause: Cause, name: str) -> Cause:
    """The cause of a change to what is shared: others may share, and change nothing. Raises ForbiddenError, NotFoundError."""
    _require_first(cause, "changes what is shared")
    return replace(cause, workspace=await registry_read(pool, name))


async def delete_workspace(pool: Pool, cause: Cause, name: str) -> None:
    """Delete an empty workspace with its tokens. Raises ScopeInUseError while anything is registered, deployed, running or set up in it,
    as far as events have told of it."""
    _require_first(cause, "deletes workspaces")
    if name == FIRST:
        raise PreconditionError("the first workspace stays", code="workspace_in_use")
    await _delete(pool, cause, "workspaces", name, name)


async def delete_registry(pool: Pool, cause: Cause, name: str) -> None:
    """Delete an empty shared registry. Raises ScopeInUseError while anything is shared in it."""
    _require_first(cause, "deletes registries")
    await _delete(pool, cause, "registries", name, registry_scope(name))


async def _delete(pool: Pool, cause: Cause, table: Table, name: str, scope: str) -> None:
    called = _CALLED[table]
    async with transaction(pool) as tx:
        await scopes.lock_scope(tx, table, name)
        there = await scopes.list_scopes(tx, table, name)
        if not there:
            raise NotFoundError(f"there is no {called} {name!r}")
        if standing := await scopes.standing_in(tx, scope, BEGINS, ENDS, _MOST_STANDING):
            raise ScopeInUseError(called, name, standing)
        if await scopes.delete_scope(tx, table, name):
            before = {key: value for key, value in there[0].items() if key in ("description", "tags", "writers")}
            await outbox.add(tx, SOURCE, _DELETED[table](name=name, before=before), cause)


def _require_first(cause: Cause, does: str) -> None:
    if cause.workspace != FIRST:
        raise ForbiddenError(f"an owner of the workspace {FIRST!r} {does}; this token is of {cause.workspace!r}")
