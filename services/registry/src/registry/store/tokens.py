"""Personal tokens, by their hash."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from modelyard_platform.cause import Identity
from modelyard_platform.database import Connection

_FIND: Final = """
select name, role, workspace from tokens where sha256 = $1 and (expires_at is null or expires_at > now())
"""
_INSERT: Final = """
insert into tokens (sha256, name, role, workspace, created_by, expires_at) values ($1, $2, $3, $4, $5, $6)
on conflict do nothing returning sha256
"""
_LIST: Final = "select name, role, created_by, created_at, expires_at from tokens where workspace = $1 order by name"
_DELETE: Final = "delete from tokens where workspace = $1 and name = $2 returning name"


async def find_identity(tx: Connection, sha256: str) -> Identity | None:
    """Whose token this is. The look-up is by hash, so its timing tells nothing about a token."""
    row = await tx.fetchrow(_FIND, sha256)
    return Identity(actor=f"user:{row['name']}", role=row["role"], workspace=row["workspace"]) if row else None


async def insert_token(
    tx: Connection, workspace: str, *, sha256: str, name: str, role: str, created_by: str, expires_at: datetime | None
) -> bool:
    """Whether the token is new; False when the name (or the very token) is taken."""
    return await tx.fetchval(_INSERT, sha256, name, role, workspace, created_by, expires_at) is not None


async def list_tokens(tx: Connection, workspace: str) -> list[dict[str, Any]]:
    """Who may enter, without anything that lets one enter."""
    return [dict(row) for row in await tx.fetch(_LIST, workspace)]


async def delete_token(tx: Connection, workspace: str, name: str) -> bool:
    """Whether there was such a token."""
    return await tx.fetchval(_DELETE, workspace, name) is not None
