"""Compute, datastores and connections."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import asyncpg

from modelyard_contracts.workspaces import ResourceKind
from modelyard_platform.database import Connection
from registry.domain.resources import Resource

_GET: Final = "select * from resources where workspace = $1 and kind = $2 and name = $3"
_LOCK: Final = "select * from resources where workspace = $1 and kind = $2 and name = $3 for update"
_PUT: Final = """
insert into resources (workspace, kind, name, spec, created_by) values ($1, $2, $3, $4, $5)
on conflict (workspace, kind, name) do update set spec = excluded.spec, updated_at = now()
returning *
"""
_DELETE: Final = "delete from resources where workspace = $1 and kind = $2 and name = $3"
_LIST: Final = """
select * from resources
where workspace = $1 and kind = $2 and name collate "C" > $3 and ($4::text is null or spec ->> 'type' = $4)
order by name collate "C" limit $5
"""
_NAMES: Final = "select name from resources where workspace = $1 and kind = $2 order by name limit 1000"
# Whoever is about to delete one of them waits, and then finds what stands on it.
_HOLD: Final = """
select name from resources where workspace = $1 and kind = 'datastores' and name = any($2::text[]) order by name for key share
"""
_USERS: Final = """
select used_by from uses where workspace = $1 and user_workspace = $1 and kind = $2 and name = $3 order by used_by limit 100
"""
_MADE_AT: Final = "select created_at from workspaces where name = $1"


def _resource(row: asyncpg.Record) -> Resource:
    return Resource(**{key: value for key, value in row.items() if key != "workspace"})


async def get_resource(tx: Connection, workspace: str, kind: ResourceKind, name: str) -> Resource | None:
    """The resource, or None."""
    row = await tx.fetchrow(_GET, workspace, kind, name)
    return _resource(row) if row else None


async def lock_resource(tx: Connection, workspace: str, kind: ResourceKind, name: str) -> Resource | None:
    """The same, and nobody changes it, or begins to stand on it, until the transaction ends."""
    row = await tx.fetchrow(_LOCK, workspace, kind, name)
    return _resource(row) if row else None


async def put_resource(
    tx: Connection, workspace: str, actor: str, *, kind: ResourceKind, name: str, spec: dict[str, Any]
) -> Resource:
    """Insert it, or put another specification in the place of its own."""
    row = await tx.fetchrow(_PUT, workspace, kind, name, spec, actor)
    assert row is not None
    return _resource(row)


async def delete_resource(tx: Connection, workspace: str, kind: ResourceKind, name: str) -> None:
    """It is gone."""
    await tx.execute(_DELETE, workspace, kind, name)


async def list_resources(
    tx: Connection, workspace: str, kind: ResourceKind, *, after: str, type_: str | None, limit: int
) -> list[Resource]:
    """A page by name, behind the name `after`."""
    return [_resource(row) for row in await tx.fetch(_LIST, workspace, kind, after, type_, limit)]


async def names_of(tx: Connection, workspace: str, kind: ResourceKind) -> list[str]:
    """What there is, by name."""
    return [row["name"] for row in await tx.fetch(_NAMES, workspace, kind)]


async def hold_datastores(tx: Connection, workspace: str, names: Collection[str]) -> set[str]:
    """Those of these datastores that there are: none of them is deleted until the transaction ends."""
    return {row["name"] for row in await tx.fetch(_HOLD, workspace, sorted(names))} if names else set()


async def users_of(tx: Connection, workspace: str, kind: ResourceKind, name: str) -> list[str]:
    """What stands on it: at most 100, by subject."""
    return [row["used_by"] for row in await tx.fetch(_USERS, workspace, kind, name)]


async def made_at(tx: Connection, workspace: str) -> datetime | None:
    """When the workspace was made."""
    found: datetime | None = await tx.fetchval(_MADE_AT, workspace)
    return found
