"""What is still to be done about versions: manifests to be stored, conversions to be signed, models to be looked into."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from modelyard_contracts.registry import AssetKind
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection
from registry.errors import NotSignedYetError

TaskKind = Literal["manifest", "conversion", "inspection"]

_INSERT: Final = """
insert into version_tasks (version_id, kind, input, cause) values ($1, $2, $3, $4)
on conflict (version_id, kind) do update set input = excluded.input, cause = excluded.cause, attempts = 0, leased_until = now()
"""
_CLAIM: Final = """
with due as (
    select id from version_tasks where kind = any($1) and leased_until <= now() order by leased_until, id limit $2 for update skip locked
), claimed as (
    update version_tasks t set leased_until = now() + make_interval(secs => $3), attempts = t.attempts + 1
    from due where t.id = due.id returning t.*
)
select c.id, c.version_id, c.kind, c.input, c.attempts, c.cause, v.kind as asset_kind, v.name, v.version, v.tree, v.manifest
from claimed c join versions v on v.id = c.version_id order by c.id
"""
_AGAIN: Final = """
update version_tasks set leased_until = now() + make_interval(secs => $3) where id = $1 and attempts = $2
"""
_DONE: Final = "delete from version_tasks where id = $1 and attempts = $2 returning true"
_SET_MANIFEST: Final = "update versions set manifest = $2 where id = $1"
_SET_CONVERSION: Final = "update versions set conversion = $2 where id = $1"
_SET_INSPECTION: Final = "update versions set inspection = $2 where id = $1"
_WAITING_MANIFEST: Final = """
select input ->> 'manifest' as manifest from version_tasks where version_id = $1 and kind = 'manifest'
"""
_VERSION_ID: Final = "select id from versions where workspace = $1 and kind = 'models' and name = $2 and version = $3"


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionTask:
    """One thing to be done about one version, in the scope that its cause has. `attempts` counts this one; `input` depends on the kind."""

    id: int
    version_id: int
    kind: TaskKind
    input: dict[str, Any] | None
    attempts: int
    cause: Cause
    asset_kind: AssetKind
    name: str
    version: str
    tree: str | None
    manifest: str | None


async def insert_task(
    tx: Connection, version_id: int, kind: TaskKind, cause: Cause, input_: dict[str, Any] | None = None
) -> None:
    """Ask for it; what was asked for before and is not done yet is asked for anew."""
    await tx.execute(_INSERT, version_id, kind, input_, asdict(cause))


async def claim_tasks(tx: Connection, kinds: tuple[TaskKind, ...], limit: int, lease_s: float) -> list[VersionTask]:
    """Take what has waited longest, at most `limit`, for `lease_s` seconds."""
    rows = await tx.fetch(_CLAIM, list(kinds), limit, lease_s)
    fields = [name for name in VersionTask.__dataclass_fields__ if name != "cause"]
    return [VersionTask(**{name: row[name] for name in fields}, cause=Cause(**row["cause"])) for row in rows]


async def release_task(tx: Connection, task: VersionTask, delay_s: float) -> None:
    """Not done: to be taken up again after `delay_s` seconds."""
    await tx.execute(_AGAIN, task.id, task.attempts, delay_s)


async def finish_task(tx: Connection, task: VersionTask) -> bool:
    """False when the task is no longer this attempt's."""
    return await tx.fetchval(_DONE, task.id, task.attempts) is not None


async def get_waiting_manifest(tx: Connection, version_id: int) -> str | None:
    """A version's manifest that is not stored yet; None when it is. Raises NotSignedYetError."""
    found = await tx.fetchrow(_WAITING_MANIFEST, version_id)
    if found is None:
        return None
    if found["manifest"] is None:
        raise NotSignedYetError
    manifest: str = found["manifest"]
    return manifest


async def set_manifest(tx: Connection, version_id: int, manifest: str) -> None:
    """The digest of the manifest that the version's files are held against."""
    await tx.execute(_SET_MANIFEST, version_id, manifest)


async def set_conversion(tx: Connection, version_id: int, conversion: dict[str, Any]) -> None:
    """The ONNX form, signed."""
    await tx.execute(_SET_CONVERSION, version_id, conversion)


async def set_inspection(tx: Connection, version_id: int, inspection: dict[str, Any]) -> None:
    """What the model's files are."""
    await tx.execute(_SET_INSPECTION, version_id, inspection)


async def get_model_id(tx: Connection, workspace: str, name: str, version: str) -> int | None:
    """The row of a model version, or None."""
    found: int | None = await tx.fetchval(_VERSION_ID, workspace, name, version)
    return found
