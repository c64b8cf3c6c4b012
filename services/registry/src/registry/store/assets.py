"""Assets, versions, aliases and what uses them."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from modelyard_contracts.registry import AssetKind
from modelyard_platform.database import Connection
from registry.domain.assets import AssetVersion, NewVersion
from registry.errors import AssetNotFoundError, VersionExistsError

_ENSURE_ASSET: Final = """
insert into assets (workspace, kind, name) values ($1, $2, $3) on conflict do nothing
"""
# The row lock makes two registrations of one name wait for each other: no clash, and a rolled-back one leaves no gap.
_LOCK_ASSET: Final = "select latest_number from assets where workspace = $1 and kind = $2 and name = $3 for update"
_SET_LATEST: Final = "update assets set latest_number = $4 where workspace = $1 and kind = $2 and name = $3"
_INSERT: Final = """
insert into versions
    (workspace, kind, name, version, type, description, tags, properties, stage, tree, size, spec, job, environment, sample, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
returning *, '{}'::text[] as aliases
"""
_ALIASES: Final = """
(select coalesce(array_agg(a.alias order by a.alias), '{}') from aliases a
 where (a.workspace, a.kind, a.name, a.version) = (v.workspace, v.kind, v.name, v.version)) as aliases
"""
_GET: Final = f"""
select v.*, {_ALIASES} from versions v where v.workspace = $1 and v.kind = $2 and v.name = $3 and v.version = $4
"""  # noqa: S608 - a constant of this module
_LATEST: Final = f"""
select v.*, {_ALIASES} from versions v
where v.workspace = $1 and v.kind = $2 and v.name = $3 and not v.archived order by v.id desc limit 1
"""  # noqa: S608
_BY_ALIAS: Final = f"""
select v.*, {_ALIASES} from versions v join aliases l using (workspace, kind, name, version)
where l.workspace = $1 and l.kind = $2 and l.name = $3 and l.alias = $4
"""  # noqa: S608
_VERSIONS: Final = f"""
select v.*, {_ALIASES} from versions v
where v.workspace = $1 and v.kind = $2 and v.name = $3 and (not v.archived or $4) and v.id < $5 and v.tags @> $6::jsonb
order by v.id desc limit $7
"""  # noqa: S608
_NEWEST_OF_EACH: Final = f"""
select v.*, {_ALIASES} from assets a
cross join lateral (
    select * from versions w
    where (w.workspace, w.kind, w.name) = (a.workspace, a.kind, a.name) and (not w.archived or $4) and w.tags @> $6::jsonb
    order by w.id desc limit 1
) v
where a.workspace = $1 and a.kind = $2 and a.name like $3 and a.name > $5 order by a.name limit $7
"""  # noqa: S608
_NAMES: Final = "select name from assets where workspace = $1 and kind = $2 order by name limit 20"
_VERSION_NAMES: Final = """
select version from versions where workspace = $1 and kind = $2 and name = $3 and not archived order by id desc limit 20
"""
_UPDATE: Final = """
update versions set description = coalesce($5, description), tags = coalesce($6, tags),
    properties = coalesce($7, properties), stage = coalesce($8, stage)
where workspace = $1 and kind = $2 and name = $3 and version = $4
"""
_ARCHIVE: Final = "update versions set archived = $5 where workspace = $1 and kind = $2 and name = $3 and version = $4"
_DELETE_ALIASES: Final = "delete from aliases where workspace = $1 and kind = $2 and name = $3 and version = $4"
_DELETE: Final = "delete from versions where workspace = $1 and kind = $2 and name = $3 and version = $4"
_GET_ALIAS: Final = (
    "select version from aliases where workspace = $1 and kind = $2 and name = $3 and alias = $4 for update"
)
_PUT_ALIAS: Final = """
insert into aliases (workspace, kind, name, alias, version) values ($1, $2, $3, $4, $5)
on conflict (workspace, kind, name, alias) do update set version = excluded.version
"""
_DELETE_ALIAS: Final = "delete from aliases where workspace = $1 and kind = $2 and name = $3 and alias = $4"
_SET_CONVERSION: Final = """
update versions set conversion = $4 where workspace = $1 and kind = 'models' and name = $2 and version = $3
"""
_USERS: Final = """
select used_by from uses where workspace = $1 and kind = $2 and name = $3 and version = $4 order by used_by
"""
_ADD_USE: Final = """
insert into uses (workspace, kind, name, version, used_by) values ($1, $2, $3, $4, $5) on conflict do nothing
"""
_DROP_USES: Final = "delete from uses where workspace = $1 and used_by = $2"
_FIELDS: Final = tuple(AssetVersion.__dataclass_fields__)


def _version(row: asyncpg.Record) -> AssetVersion:
    return AssetVersion(**{field: row[field] for field in _FIELDS if field != "aliases"}, aliases=tuple(row["aliases"]))


async def insert_version(tx: Connection, workspace: str, actor: str, new: NewVersion) -> AssetVersion:
    """Insert a version under the given or the next number. Raises VersionExistsError."""
    asset = (workspace, new.kind, new.name)
    await tx.execute(_ENSURE_ASSET, *asset)
    latest = await tx.fetchval(_LOCK_ASSET, *asset)
    version = new.version or str(latest + 1)
    if version.isascii() and version.isdigit() and int(version) > latest:
        await tx.execute(_SET_LATEST, *asset, int(version))
    if await tx.fetchrow(_GET, *asset, version) is not None:
        raise VersionExistsError(new.kind, new.name, version)
    row = await tx.fetchrow(
        _INSERT,
        *asset,
        version,
        new.type,
        new.description,
        new.tags,
        new.properties,
        new.stage,
        new.tree,
        new.size,
        new.spec,
        new.job,
        new.environment,
        new.sample,
        actor,
    )
    assert row is not None
    return _version(row)


async def get_version(tx: Connection, workspace: str, kind: AssetKind, name: str, version: str) -> AssetVersion | None:
    """The version, or None."""
    row = await tx.fetchrow(_GET, workspace, kind, name, version)
    return _version(row) if row else None


async def require_version(tx: Connection, workspace: str, kind: AssetKind, name: str, version: str) -> AssetVersion:
    """The version. Raises AssetNotFoundError, saying what exists."""
    return await get_version(tx, workspace, kind, name, version) or await _missing(tx, workspace, kind, name, version)


async def require_label(tx: Connection, workspace: str, kind: AssetKind, name: str, label: str) -> AssetVersion:
    """The version an alias names, or the newest one for `latest`. Raises AssetNotFoundError."""
    if label == "latest":
        row = await tx.fetchrow(_LATEST, workspace, kind, name)
    else:
        row = await tx.fetchrow(_BY_ALIAS, workspace, kind, name, label)
    return _version(row) if row else await _missing(tx, workspace, kind, name, f"@{label}")


async def _missing(tx: Connection, workspace: str, kind: AssetKind, name: str, version: str) -> AssetVersion:
    versions = [row["version"] for row in await tx.fetch(_VERSION_NAMES, workspace, kind, name)]
    if versions:
        raise AssetNotFoundError(kind, name, version, versions)
    raise AssetNotFoundError(kind, name, None, [row["name"] for row in await tx.fetch(_NAMES, workspace, kind)])


async def list_versions(
    tx: Connection,
    workspace: str,
    kind: AssetKind,
    name: str,
    *,
    tags: dict[str, str],
    archived: bool,
    before: int,
    limit: int,
) -> list[AssetVersion]:
    """Versions of one name, newest first, below the cursor `before` (a version's id)."""
    return [_version(row) for row in await tx.fetch(_VERSIONS, workspace, kind, name, archived, before, tags, limit)]


async def list_newest(
    tx: Connection,
    workspace: str,
    kind: AssetKind,
    *,
    pattern: str,
    tags: dict[str, str],
    archived: bool,
    after: str,
    limit: int,
) -> list[AssetVersion]:
    """The newest (matching) version of each name, by name, above the cursor `after` (a name). `pattern` is a LIKE pattern."""
    return [
        _version(row) for row in await tx.fetch(_NEWEST_OF_EACH, workspace, kind, pattern, archived, after, tags, limit)
    ]


async def update_metadata(
    tx: Connection,
    workspace: str,
    found: AssetVersion,
    *,
    description: str | None,
    tags: dict[str, str] | None,
    properties: dict[str, str] | None,
    stage: str | None,
) -> None:
    """Set what is not None."""
    await tx.execute(_UPDATE, workspace, found.kind, found.name, found.version, description, tags, properties, stage)


async def mark_archived(tx: Connection, workspace: str, found: AssetVersion, *, archived: bool) -> None:
    """Archive or restore."""
    await tx.execute(_ARCHIVE, workspace, found.kind, found.name, found.version, archived)


async def delete_version(tx: Connection, workspace: str, found: AssetVersion) -> None:
    """Remove the version and its aliases. Its number is not given again."""
    await tx.execute(_DELETE_ALIASES, workspace, found.kind, found.name, found.version)
    await tx.execute(_DELETE, workspace, found.kind, found.name, found.version)


async def move_alias(tx: Connection, workspace: str, found: AssetVersion, alias: str) -> str | None:
    """Let an alias name this version; returns the version it named before."""
    previous: str | None = await tx.fetchval(_GET_ALIAS, workspace, found.kind, found.name, alias)
    await tx.execute(_PUT_ALIAS, workspace, found.kind, found.name, alias, found.version)
    return previous


async def remove_alias(tx: Connection, workspace: str, kind: AssetKind, name: str, alias: str) -> str | None:
    """Remove an alias; returns the version it named, None when there was none."""
    previous: str | None = await tx.fetchval(_GET_ALIAS, workspace, kind, name, alias)
    await tx.execute(_DELETE_ALIAS, workspace, kind, name, alias)
    return previous


async def set_conversion(tx: Connection, workspace: str, name: str, version: str, conversion: dict[str, Any]) -> None:
    """Attach what the builder made of a model, or why it could not."""
    await tx.execute(_SET_CONVERSION, workspace, name, version, conversion)


async def users_of(tx: Connection, workspace: str, found: AssetVersion) -> list[str]:
    """What stands on this version."""
    return [row["used_by"] for row in await tx.fetch(_USERS, workspace, found.kind, found.name, found.version)]


async def add_use(tx: Connection, workspace: str, kind: AssetKind, name: str, version: str, used_by: str) -> None:
    """`used_by` stands on this version."""
    await tx.execute(_ADD_USE, workspace, kind, name, version, used_by)


async def drop_uses(tx: Connection, workspace: str, used_by: str) -> None:
    """`used_by` is gone."""
    await tx.execute(_DROP_USES, workspace, used_by)
