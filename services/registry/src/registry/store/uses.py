"""What stands on versions, so that they may not be deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from modelyard_platform.database import Connection
from registry.domain.assets import AssetVersion
from registry.domain.references import Target

_USERS: Final = """
select case when user_workspace = workspace then used_by else used_by || ' of workspace ' || user_workspace end as used_by
from uses where workspace = $1 and kind = $2 and name = $3 and version = $4
    and not (user_workspace = workspace and used_by = any($5))
order by 1 limit 100
"""
# Whoever is about to delete one of them waits, and then finds the use.
_HOLD: Final = """
select v.id from versions v
join unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t (scope, kind, name, version)
    on (v.workspace, v.kind, v.name, v.version) = (t.scope, t.kind, t.name, t.version)
order by v.id for key share of v
"""
_ADD: Final = """
insert into uses (user_workspace, used_by, status, workspace, kind, name, version)
select $1, $2, $3, t.scope, t.kind, t.name, t.version
from unnest($4::text[], $5::text[], $6::text[], $7::text[]) as t (scope, kind, name, version)
on conflict (workspace, kind, name, version, user_workspace, used_by) do update set status = excluded.status
"""
_DROP: Final = "delete from uses where user_workspace = $1 and used_by = $2"
_IS_NEWER: Final = """
insert into users_seen as s (workspace, used_by, sequence) values ($1, $2, $3)
on conflict (workspace, used_by) do update set sequence = excluded.sequence where s.sequence < excluded.sequence
returning sequence
"""


async def users_of(tx: Connection, workspace: str, found: AssetVersion, *, but_for: Collection[str] = ()) -> list[str]:
    """What stands on this version, but for these of its own workspace: at most 100, by subject."""
    rows = await tx.fetch(_USERS, workspace, found.kind, found.name, found.version, list(but_for))
    return [row["used_by"] for row in rows]


async def add_uses(
    tx: Connection, workspace: str, used_by: str, targets: Iterable[Target], *, status: str | None = None
) -> None:
    """`used_by`, of `workspace`, stands on these versions; a deployment with its state."""
    found = sorted(targets, key=lambda target: (target.scope, target.kind, target.name, target.version))
    if found:
        columns = (
            [target.scope for target in found],
            [target.kind for target in found],
            [target.name for target in found],
            [target.version for target in found],
        )
        await tx.fetch(_HOLD, *columns)
        await tx.execute(_ADD, workspace, used_by, status, *columns)


async def drop_uses(tx: Connection, workspace: str, used_by: str) -> None:
    """`used_by` stands on nothing any more."""
    await tx.execute(_DROP, workspace, used_by)


async def is_newer(tx: Connection, workspace: str, used_by: str, sequence: int) -> bool:
    """Whether an event of `used_by` is the newest seen of it; one that comes late is not."""
    return await tx.fetchval(_IS_NEWER, workspace, used_by, sequence) is not None
