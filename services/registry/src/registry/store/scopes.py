"""Workspaces and shared registries."""

from __future__ import annotations

from typing import Any, Final, Literal

from modelyard_platform.database import Connection

Table = Literal["workspaces", "registries"]

_INSERT: Final[dict[Table, str]] = {
    "workspaces": """
insert into workspaces (name, description, tags, created_by) values ($1, $2, $3, $4) on conflict do nothing
returning name, description, tags, created_by, created_at
""",
    "registries": """
insert into registries (name, description, tags, created_by) values ($1, $2, $3, $4) on conflict do nothing
returning name, description, tags, created_by, created_at
""",
}
_LIST_WORKSPACES: Final = """
select name, description, tags, created_by, created_at from workspaces where $1::text is null or name = $1 order by name
"""
_LIST_REGISTRIES: Final = """
select name, description, tags, created_by, created_at from registries where $1::text is null or name = $1 order by name
"""
_LIST: Final[dict[Table, str]] = {"workspaces": _LIST_WORKSPACES, "registries": _LIST_REGISTRIES}
_IS_USED: Final = """
select exists (select from assets where workspace = $1 and not deleted)
    or exists (select from uses where user_workspace = $1)
"""
_DELETE_WORKSPACE: Final = "delete from workspaces where name = $1 returning name"
_DELETE_REGISTRY: Final = "delete from registries where name = $1 returning name"
_DELETE: Final[dict[Table, str]] = {"workspaces": _DELETE_WORKSPACE, "registries": _DELETE_REGISTRY}
_DELETE_TOKENS: Final = "delete from tokens where workspace = $1"


async def insert_scope(
    tx: Connection, table: Table, *, name: str, description: str, tags: dict[str, str], actor: str
) -> dict[str, Any] | None:
    """The new workspace or registry; None when the name is taken."""
    row = await tx.fetchrow(_INSERT[table], name, description, tags, actor)
    return dict(row) if row else None


async def list_scopes(tx: Connection, table: Table, name: str | None = None) -> list[dict[str, Any]]:
    """All of them, or the one of this name."""
    return [dict(row) for row in await tx.fetch(_LIST[table], name)]


async def is_used(tx: Connection, scope: str) -> bool:
    """Whether anything is registered there, or stands on what is shared."""
    return bool(await tx.fetchval(_IS_USED, scope))


async def delete_scope(tx: Connection, table: Table, name: str) -> bool:
    """It is gone, and with a workspace its tokens. False when it was gone already."""
    if table == "workspaces":
        await tx.execute(_DELETE_TOKENS, name)
    return await tx.fetchval(_DELETE[table], name) is not None
