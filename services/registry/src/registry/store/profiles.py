"""Tables of data that wait for their profile."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection
from registry.domain.assets import AssetVersion

_INSERT: Final = "insert into profile_tasks (version_id, cause) values ($1, $2)"
_CLAIM: Final = """
update profile_tasks set leased_until = now() + interval '5 minutes', attempts = attempts + 1
where version_id = (
    select version_id from profile_tasks where leased_until <= now() order by version_id limit 1 for update skip locked
)
returning version_id, attempts, cause
"""
_VERSION: Final = "select workspace, name, version, tree, manifest, type, external from versions where id = $1"
_SET_EXTERNAL: Final = "update versions set external = $2 where id = $1"
_DONE: Final = "delete from profile_tasks where version_id = $1"
_SET: Final = "update versions set profile = $2 where id = $1"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileTask:
    """A data version to be read. `attempts` counts this one."""

    version_id: int
    attempts: int
    cause: Cause
    name: str
    version: str
    tree: str | None
    manifest: str | None
    type: str | None
    external: dict[str, Any] | None


async def insert_task(tx: Connection, version_id: int, cause: Cause) -> None:
    """Ask for a profile."""
    await tx.execute(_INSERT, version_id, asdict(cause))


async def claim_task(tx: Connection) -> ProfileTask | None:
    """Take the oldest waiting task for five minutes, or None."""
    row = await tx.fetchrow(_CLAIM)
    if row is None:
        return None
    version = await tx.fetchrow(_VERSION, row["version_id"])
    assert version is not None
    return ProfileTask(
        version_id=row["version_id"],
        attempts=row["attempts"],
        cause=Cause(**row["cause"]),
        name=version["name"],
        version=version["version"],
        tree=version["tree"],
        manifest=version["manifest"],
        type=version["type"],
        external=version["external"],
    )


async def set_external(tx: Connection, version: AssetVersion, external: dict[str, Any]) -> AssetVersion:
    """Keep what was found outside; the version with it."""
    await tx.execute(_SET_EXTERNAL, version.id, external)
    return replace(version, external=external)


async def finish_task(tx: Connection, version_id: int, profile: dict[str, Any]) -> None:
    """Keep the profile (or why there is none) and drop the task."""
    await tx.execute(_SET, version_id, profile)
    await tx.execute(_DONE, version_id)
