"""Assets, versions, aliases and what uses them."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

from modelyard_contracts.registry import AssetKind
from modelyard_platform.database import Connection
from registry.domain.assets import ANONYMOUS, AssetVersion, NewVersion
from registry.errors import AssetNotFoundError, VersionDeletedError, VersionExistsError

_FIELDS: Final = tuple(AssetVersion.__dataclass_fields__)
_DERIVED: Final = frozenset({"aliases", "experiment", "deployments"})
_STORED: Final = ", ".join(f"v.{field}" for field in _FIELDS if field not in _DERIVED)
# Where it is deployed is told to its own workspace: a shared version's users are nobody else's business.
_COLUMNS: Final = f"""
{_STORED},
(select coalesce(array_agg(a.alias order by a.alias), '{{}}') from aliases a
 where (a.workspace, a.kind, a.name, a.version) = (v.workspace, v.kind, v.name, v.version)) as aliases,
(select e.data ->> 'experiment' from events e
 where e.workspace = v.workspace and e.subject = 'jobs/' || v.job and e.type = 'job.submitted' limit 1) as experiment,
(select coalesce(jsonb_agg(jsonb_build_object('endpoint', split_part(u.used_by, '/', 2),
        'deployment', split_part(u.used_by, '/', 4), 'status', u.status) order by u.used_by), '[]') from uses u
 where (u.workspace, u.kind, u.name, u.version) = (v.workspace, v.kind, v.name, v.version)
   and u.user_workspace = v.workspace and u.status is not null) as deployments
"""  # noqa: S608 - constants of this module
# One statement, so that the name's row is locked for as short as can be. The lock makes two registrations of one name wait for
# each other: no clash, and one that is rolled back leaves no gap. No row comes back when the version exists.
_INSERT: Final = f"""
with asset as (
    insert into assets as a (workspace, kind, name, created_by, latest_number) values ($1, $2, $3, $15, coalesce($16, 1))
    on conflict (workspace, kind, name) do update
    set latest_number = case when $4::text is null then a.latest_number + 1 else greatest(a.latest_number, $16) end,
        updated_at = now(), deleted = false
    returning latest_number
)
insert into versions as v
    (workspace, kind, name, version, type, description, tags, properties, stage, tree, size, spec, job, environment, sample, created_by)
select $1, $2, $3, coalesce($4, asset.latest_number::text), $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $17, $15 from asset
on conflict (workspace, kind, name, version) do nothing
returning {_STORED}, '{{}}'::text[] as aliases, '[]'::jsonb as deployments,
    (select e.data ->> 'experiment' from events e
     where e.workspace = $1 and e.subject = 'jobs/' || $13 and e.type = 'job.submitted' limit 1) as experiment
"""  # noqa: S608
_GET: Final = f"""
select {_COLUMNS} from versions v where v.workspace = $1 and v.kind = $2 and v.name = $3 and v.version = $4
"""  # noqa: S608
_LATEST: Final = f"""
select {_COLUMNS} from versions v
where v.workspace = $1 and v.kind = $2 and v.name = $3 and not v.archived order by v.id desc limit 1
"""  # noqa: S608
_BY_ALIAS: Final = f"""
select {_COLUMNS} from versions v join aliases l using (workspace, kind, name, version)
where l.workspace = $1 and l.kind = $2 and l.name = $3 and l.alias = $4
"""  # noqa: S608
_BY_ID: Final = f"""
select {_COLUMNS} from versions v where v.id = any ($1::bigint[]) order by array_position($1::bigint[], v.id)
"""  # noqa: S608
_OF_NAME: Final = f"""
select {_COLUMNS} from versions v where v.workspace = $1 and v.kind = $2 and v.name = $3 order by v.id for update of v
"""  # noqa: S608
_LOCK: Final = "select 1 from versions where id = $1 for update"
_NAMES: Final = "select name from assets where workspace = $1 and kind = $2 and not deleted order by name limit 20"
_NAMED: Final = "select true from assets where workspace = $1 and kind = $2 and name = $3 and not deleted"
_VERSION_NAMES: Final = """
select version from versions where workspace = $1 and kind = $2 and name = $3 and not archived order by id desc limit 20
"""
_UPDATE: Final = "update versions set description = $2, tags = $3, properties = $4, stage = $5 where id = $1"
_ARCHIVE: Final = "update versions set archived = $2 where id = $1"
_DELETE_ALIASES: Final = "delete from aliases where workspace = $1 and kind = $2 and name = $3 and version = $4"
_DELETE: Final = "delete from versions where workspace = $1 and kind = $2 and name = $3 and version = $4"
_KEEP_DELETED: Final = """
insert into deleted_versions (workspace, kind, name, version, deleted_by) values ($1, $2, $3, $4, $5)
on conflict do nothing
"""
_GET_DELETED: Final = """
select deleted_by, deleted_at from deleted_versions where workspace = $1 and kind = $2 and name = $3 and version = $4
"""
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


def _version(row: asyncpg.Record) -> AssetVersion:
    known = {field: row[field] for field in _FIELDS}
    return AssetVersion(
        **known | {"aliases": tuple(known["aliases"]), "deployments": tuple(known["deployments"])},
    )


async def insert_version(tx: Connection, workspace: str, actor: str, new: NewVersion) -> AssetVersion:
    """Insert a version under the given or the next number. Raises VersionExistsError, VersionDeletedError."""
    numbered = new.version is not None and new.version.isascii() and new.version.isdigit() and len(new.version) <= 18
    row = await tx.fetchrow(
        _INSERT,
        workspace,
        new.kind,
        new.name,
        new.version,
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
        actor,
        (int(new.version or 0) if numbered else 0) if new.version is not None else None,
        new.sample,
    )
    if row is None:
        raise VersionExistsError(new.kind, new.name, new.version or "")
    # Asked afterwards, since the insertion may have waited for the deletion. The next number is always a new one.
    if new.version is not None and (
        gone := await tx.fetchrow(_GET_DELETED, workspace, new.kind, new.name, new.version)
    ):
        raise VersionDeletedError(new.kind, new.name, new.version, **gone)
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
    if versions or await tx.fetchval(_NAMED, workspace, kind, name):
        raise AssetNotFoundError(kind, name, version, versions)
    raise AssetNotFoundError(kind, name, None, [row["name"] for row in await tx.fetch(_NAMES, workspace, kind)])


async def get_versions(tx: Connection, ids: list[int]) -> list[AssetVersion]:
    """The versions of these rows, in this order."""
    return [_version(row) for row in await tx.fetch(_BY_ID, ids)]


async def lock_versions(tx: Connection, workspace: str, kind: AssetKind, name: str) -> list[AssetVersion]:
    """All versions of a name, archived ones too, oldest first, as they stand once everybody else's change is done."""
    return [_version(row) for row in await tx.fetch(_OF_NAME, workspace, kind, name)]


async def lock_version(tx: Connection, workspace: str, found: AssetVersion) -> AssetVersion:
    """The version as it stands once everybody else's change is done. Raises AssetNotFoundError when that was its deletion."""
    await tx.execute(_LOCK, found.id)
    return await require_version(tx, workspace, found.kind, found.name, found.version)


async def update_metadata(tx: Connection, changed: AssetVersion) -> None:
    """Keep the metadata of a version as it is in `changed`."""
    await tx.execute(_UPDATE, changed.id, changed.description, changed.tags, changed.properties, changed.stage)


async def mark_archived(tx: Connection, found: AssetVersion, *, archived: bool) -> None:
    """Archive or restore."""
    await tx.execute(_ARCHIVE, found.id, archived)


async def delete_version(tx: Connection, workspace: str, found: AssetVersion, actor: str) -> None:
    """Remove the version and its aliases. It is not given again, but for one that is called by its content."""
    if found.name != ANONYMOUS:
        await tx.execute(_KEEP_DELETED, workspace, found.kind, found.name, found.version, actor)
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
