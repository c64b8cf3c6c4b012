"""Names: what is known of an asset apart from its versions."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from modelyard_contracts.registry import AssetKind
from modelyard_platform.database import Connection
from registry.domain.assets import ANONYMOUS, Asset
from registry.domain.search import Search
from registry.errors import AssetExistsError, AssetNotFoundError

_ASSET: Final = """
a.kind, a.name, a.description, a.tags, a.created_by, a.created_at, a.updated_at,
(select v.version from versions v where (v.workspace, v.kind, v.name) = (a.workspace, a.kind, a.name) and not v.archived
 order by v.id desc limit 1) as latest
"""
_GET: Final = f"""
select {_ASSET} from assets a where a.workspace = $1 and a.kind = $2 and a.name = $3 and not a.deleted
"""  # noqa: S608 - a constant of this module
_LOCK: Final = """
select 1 from assets where workspace = $1 and kind = $2 and name = $3 and not deleted for update
"""
_INSERT: Final = """
insert into assets as a (workspace, kind, name, description, tags, created_by) values ($1, $2, $3, $4, $5, $6)
on conflict (workspace, kind, name) do update
set deleted = false, description = excluded.description, tags = excluded.tags, created_by = excluded.created_by,
    created_at = now(), updated_at = now()
where a.deleted
returning name
"""
_UPDATE: Final = """
update assets set description = $4, tags = $5, updated_at = now() where workspace = $1 and kind = $2 and name = $3
"""
_DELETE: Final = """
update assets set deleted = true, description = '', tags = '{}' where workspace = $1 and kind = $2 and name = $3
"""
_LIST: Final = f"""
select {_ASSET} from assets a
where a.workspace = $1 and a.kind = $2 and not a.deleted and (a.name <> '{ANONYMOUS}' or $3)
  and ($4::text[] is null or a.name like all ($4))
  and ($5::text[] is null
       or version_terms(null, null, a.created_by, null, a.tags, '{{}}', null) @> hash_terms($5))
  and ($6::text is null or version_words(a.name, a.description, a.tags) @@ to_tsquery('simple', $6))
  and ($7::timestamptz is null or a.created_at >= $7) and ($8::timestamptz is null or a.created_at < $8)
  and case $9::text
      when 'name' then $10::text is null or a.name > $10
      when '-name' then $10::text is null or a.name < $10
      when 'updated_at' then $11::timestamptz is null or (a.updated_at, a.name) > ($11, $10)
      else $11::timestamptz is null or (a.updated_at, a.name) < ($11, $10) end
order by case $9 when 'name' then a.name end, case $9 when '-name' then a.name end desc,
    case $9 when 'updated_at' then a.updated_at end, case $9 when 'updated_at' then a.name end,
    case $9 when '-updated_at' then a.updated_at end desc, a.name desc
limit $12
"""  # noqa: S608
_NAMES: Final = "select name from assets where workspace = $1 and kind = $2 and not deleted order by name limit 20"


def _asset(row: asyncpg.Record) -> Asset:
    return Asset(**dict(row))


async def get_asset(tx: Connection, workspace: str, kind: AssetKind, name: str) -> Asset | None:
    """What is known of the name, or None."""
    row = await tx.fetchrow(_GET, workspace, kind, name)
    return _asset(row) if row else None


async def require_asset(tx: Connection, workspace: str, kind: AssetKind, name: str) -> Asset:
    """What is known of the name. Raises AssetNotFoundError, saying which names there are."""
    found = await get_asset(tx, workspace, kind, name)
    if found is None:
        raise AssetNotFoundError(kind, name, None, [row["name"] for row in await tx.fetch(_NAMES, workspace, kind)])
    return found


async def lock_asset(tx: Connection, workspace: str, kind: AssetKind, name: str) -> Asset:
    """The same, and nobody registers a version of it, or changes it, until the transaction ends."""
    await tx.execute(_LOCK, workspace, kind, name)
    return await require_asset(tx, workspace, kind, name)


async def insert_asset(
    tx: Connection, workspace: str, kind: AssetKind, name: str, *, description: str, tags: dict[str, str], actor: str
) -> None:
    """A name without versions. One that was deleted comes back, and goes on counting where it was. Raises AssetExistsError."""
    if await tx.fetchval(_INSERT, workspace, kind, name, description, tags, actor) is None:
        raise AssetExistsError(kind, name)


async def update_asset(tx: Connection, workspace: str, asset: Asset, *, description: str, tags: dict[str, str]) -> None:
    """Set what is known of a name."""
    await tx.execute(_UPDATE, workspace, asset.kind, asset.name, description, tags)


async def mark_deleted(tx: Connection, workspace: str, asset: Asset) -> None:
    """The name is gone from every list; its numbers stay given."""
    await tx.execute(_DELETE, workspace, asset.kind, asset.name)


async def list_assets(
    tx: Connection, workspace: str, kind: AssetKind, search: Search, sort: str, after: list[Any], limit: int
) -> list[Asset]:
    """Names that fit, whether they have versions or not. `after` is empty, or the name and the time of update to go on behind."""
    name, updated_at = after or (None, None)
    rows = await tx.fetch(
        _LIST,
        workspace,
        kind,
        search.anonymous,
        list(search.names) or None,
        list(search.terms) or None,
        search.words,
        search.after,
        search.before,
        sort,
        name,
        updated_at,
        limit,
    )
    return [_asset(row) for row in rows]
