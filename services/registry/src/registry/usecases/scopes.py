"""Workspaces, each closed to the others, and the shared registries between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from modelyard_contracts.registry import (
    SharedRegistryCreated,
    SharedRegistryDeleted,
    TokenCreated,
    WorkspaceCreated,
    WorkspaceDeleted,
)
from modelyard_platform import idempotency, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import ConflictError, ForbiddenError, NotFoundError, PreconditionError
from registry.domain.assets import check_tags, check_text
from registry.domain.scopes import CURATED, FIRST, check_scope, registry_scope
from registry.errors import InvalidError
from registry.store import scopes, tokens
from registry.store.scopes import Table
from registry.usecases.assets import SOURCE
from registry.usecases.tokens import hash_token, new_token

_DELETED: Final[dict[Table, type[WorkspaceDeleted | SharedRegistryDeleted]]] = {
    "workspaces": WorkspaceDeleted,
    "registries": SharedRegistryDeleted,
}
_CALLED: dict[Table, str] = {"workspaces": "workspace", "registries": "registry"}


async def create_workspace(
    pool: Pool, cause: Cause, name: str, description: str, tags: dict[str, str]
) -> dict[str, Any]:
    """A workspace, and the token of its first owner, shown this once. For owners of the first workspace.

    Raises ConflictError when the name is taken. A client that lost the answer deletes the empty workspace and makes it again: a token
    is not kept anywhere to be answered twice.
    """
    _require_first(cause, "makes workspaces")
    check_scope(name, "workspace")
    token = new_token()
    async with transaction(pool) as tx:
        made = await _insert(tx, "workspaces", cause, name, description, tags)
        await outbox.add(tx, SOURCE, WorkspaceCreated(name=name, description=description), cause)
        await tokens.insert_token(
            tx, name, sha256=hash_token(token), name="owner", role="owner", created_by=cause.actor, expires_at=None
        )
        within = replace(cause, workspace=name)
        await outbox.add(tx, SOURCE, TokenCreated(token="owner", role="owner"), within)  # noqa: S106 - its name
    return made | {"token": token}


async def create_registry(
    pool: Pool, cause: Cause, name: str, description: str, tags: dict[str, str], key: str | None
) -> dict[str, Any]:
    """A shared registry, for owners of the first workspace. Raises ConflictError."""
    _require_first(cause, "makes registries")
    check_scope(name, "registry")
    if name == CURATED:
        raise InvalidError(f"{CURATED!r} is the registry of the curated environments", path="name")
    request = {"registry": name, "description": description, "tags": tags}
    async with transaction(pool) as tx:
        if (done := await idempotency.answered(tx, cause, key, request)) is not None:
            return done
        made = await _insert(tx, "registries", cause, name, description, tags)
        await outbox.add(tx, SOURCE, SharedRegistryCreated(name=name, description=description), cause)
        await idempotency.remember(tx, cause, key, request, made | {"created_at": made["created_at"].isoformat()})
        return made


async def _insert(
    tx: Connection, table: Table, cause: Cause, name: str, description: str, tags: dict[str, str]
) -> dict[str, Any]:
    check_tags(tags)
    check_text(description, "description")
    made = await scopes.insert_scope(tx, table, name=name, description=description, tags=tags, actor=cause.actor)
    if made is None:
        raise ConflictError(f"there is a {_CALLED[table]} named {name!r}", code=f"{_CALLED[table]}_exists")
    return made


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


async def list_registries(pool: Pool) -> list[dict[str, Any]]:
    """All shared registries."""
    async with transaction(pool) as tx:
        return await scopes.list_scopes(tx, "registries")


async def require_registry(tx: Connection, name: str) -> dict[str, Any]:
    """One shared registry. Raises NotFoundError, saying which there are."""
    found = await scopes.list_scopes(tx, "registries")
    for one in found:
        if one["name"] == name:
            return one
    there = ", ".join(str(one["name"]) for one in found) or "none yet"
    raise NotFoundError(f"there is no registry {name!r}; there are {there}", code="registry_not_found")


async def get_registry(pool: Pool, name: str) -> dict[str, Any]:
    """One shared registry. Raises NotFoundError."""
    async with transaction(pool) as tx:
        return await require_registry(tx, name)


async def registry_read(pool: Pool, name: str) -> str:
    """The scope of a shared registry. Raises NotFoundError."""
    await get_registry(pool, name)
    return registry_scope(name)


async def registry_write(pool: Pool, cause: Cause, name: str) -> Cause:
    """The cause of a change in a shared registry. Raises ForbiddenError, NotFoundError."""
    _require_first(cause, "changes what is shared")
    return replace(cause, workspace=await registry_read(pool, name))


async def delete_workspace(pool: Pool, cause: Cause, name: str) -> None:
    """Delete an empty workspace with its tokens. Raises PreconditionError while anything is registered in it."""
    _require_first(cause, "deletes workspaces")
    if name == FIRST:
        raise PreconditionError("the first workspace stays", code="workspace_in_use")
    await _delete(pool, cause, "workspaces", name, name)


async def delete_registry(pool: Pool, cause: Cause, name: str) -> None:
    """Delete an empty shared registry. Raises PreconditionError while anything is shared in it."""
    _require_first(cause, "deletes registries")
    await _delete(pool, cause, "registries", name, registry_scope(name))


async def _delete(pool: Pool, cause: Cause, table: Table, name: str, scope: str) -> None:
    called = _CALLED[table]
    async with transaction(pool) as tx:
        there = await scopes.list_scopes(tx, table, name)
        if not there:
            raise NotFoundError(f"there is no {called} {name!r}")
        if await scopes.is_used(tx, scope):
            raise PreconditionError(
                f"the {called} {name!r} is not empty; delete what is registered in it first", code=f"{called}_in_use"
            )
        if await scopes.delete_scope(tx, table, name):
            before = {"description": there[0]["description"], "tags": there[0]["tags"]}
            await outbox.add(tx, SOURCE, _DELETED[table](name=name, before=before), cause)


def _require_first(cause: Cause, does: str) -> None:
    if cause.workspace != FIRST:
        raise ForbiddenError(f"an owner of the workspace {FIRST!r} {does}; this token is of {cause.workspace!r}")
