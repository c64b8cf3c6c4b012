"""Workspaces and shared registries."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Literal

from modelyard_platform.database import Connection

Table = Literal["workspaces", "registries"]

_INSERT_WORKSPACE: Final = """
insert into workspaces (name, description, tags, created_by) values ($1, $2, $3, $4) on conflict do nothing
returning name, description, tags, created_by, created_at
"""
_INSERT_REGISTRY: Final = """
insert into registries (name, description, tags, created_by, writers) values ($1, $2, $3, $4, $5) on conflict do nothing
returning name, description, tags, created_by, created_at, writers
"""
_LIST_WORKSPACES: Final = """
select name, description, tags, created_by, created_at from workspaces where $1::text is null or name = $1 order by name
"""
_LIST_REGISTRIES: Final = """
select name, description, tags, created_by, created_at, writers from registries where $1::text is null or name = $1 order by name
"""
_LIST: Final[dict[Table, str]] = {"workspaces": _LIST_WORKSPACES, "registries": _LIST_REGISTRIES}
_LOCK_WORKSPACE: Final = "select 1 from workspaces where name = $1 for update"
_LOCK_REGISTRY: Final = "select 1 from registries where name = $1 for update"
_LOCK: Final[dict[Table, str]] = {"workspaces": _LOCK_WORKSPACE, "registries": _LOCK_REGISTRY}
# Whoever is about to delete one of them waits, and then finds what stands in it.
_HOLD_WORKSPACES: Final = "select name from workspaces where name = any ($1::text[]) order by name for key share"
_HOLD_REGISTRY: Final = "select 1 from registries where name = $1 for key share"
_UPDATE_REGISTRY: Final = "update registries set description = $2, writers = $3 where name = $1"
_LET_OUT: Final = "update registries set writers = array_remove(writers, $1) where $1 = any (writers)"
_REGISTERED: Final = """
select kind || '/' || name as subject from assets where workspace = $1 and not deleted order by kind, name limit $2
"""
_BEGUN: Final = """
select distinct b.subject from events b
where b.workspace = $1 and b.type = any ($2) and not exists (
    select from events e
    where e.workspace = b.workspace and e.subject = b.subject and e.type = any ($3) and e.sequence > b.sequence
)
order by b.subject limit $4
"""
_DELETE_WORKSPACE: Final = "delete from workspaces where name = $1 returning name"
_DELETE_REGISTRY: Final = "delete from registries where name = $1 returning name"
_DELETE: Final[dict[Table, str]] = {"workspaces": _DELETE_WORKSPACE, "registries": _DELETE_REGISTRY}
_DELETE_TOKENS: Final = "delete from tokens where workspace = $1"


async def insert_workspace(
    tx: Connection, *, name: str, description: str, tags: dict[str, str], actor: str
) -> dict[str, Any] | None:
    """The new workspace; None when the name is taken."""
    row = await tx.fetchrow(_INSERT_WORKSPACE, name, description, tags, actor)
    return dict(row) if row else None


async def insert_registry(
    tx: Connection, *, name: str, description: str, tags: dict[str, str], actor: str, writers: Collection[str]
) -> dict[str, Any] | None:
    """The new registry; None when the name is taken."""
    row = await tx.fetchrow(_INSERT_REGISTRY, name, description, tags, actor, sorted(writers))
    return dict(row) if row else None


async def list_scopes(tx: Connection, table: Table, name: str | None = None) -> list[dict[str, Any]]:
    """All of them, or the one of this name."""
    return [dict(row) for row in await tx.fetch(_LIST[table], name)]


async def lock_scope(tx: Connection, table: Table, name: str) -> None:
    """Nobody else changes it, or begins to rely on it, until the transaction ends. Of both, workspaces come first."""
    await tx.execute(_LOCK[table], name)


async def hold_workspaces(tx: Connection, names: Collection[str]) -> set[str]:
    """Those of these that there are: none of them is deleted until the transaction ends."""
    return {row["name"] for row in await tx.fetch(_HOLD_WORKSPACES, sorted(names))}


async def hold_registry(tx: Connection, name: str) -> None:
    """The registry is not deleted until the transaction ends."""
    await tx.execute(_HOLD_REGISTRY, name)


async def update_registry(tx: Connection, name: str, description: str, writers: Collection[str]) -> None:
    """Set what the registry is for, and which workspaces may share into it."""
    await tx.execute(_UPDATE_REGISTRY, name, description, sorted(writers))


async def standing_in(
    tx: Connection, scope: str, begins: Collection[str], ends: Collection[str], limit: int
) -> list[str]:
    """The subjects that stand there, at most `limit` of each sort: what is registered, and what an event of a type in `begins` told of
    and none in `ends` since."""
    registered = await tx.fetch(_REGISTERED, scope, limit)
    begun = await tx.fetch(_BEGUN, scope, list(begins), list(ends), limit)
    return [row["subject"] for row in (*registered, *begun)]


async def delete_scope(tx: Connection, table: Table, name: str) -> bool:
    """It is gone, and with a workspace its tokens and its place among registries' writers. False when it was gone already."""
    if table == "workspaces":
        await tx.execute(_DELETE_TOKENS, name)
        await tx.execute(_LET_OUT, name)
    return await tx.fetchval(_DELETE[table], name) is not None
