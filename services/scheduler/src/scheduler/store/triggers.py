"""Triggers and their firings."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from modelyard_contracts import Event
from modelyard_platform.database import Connection
from scheduler.errors import TriggerNotFoundError

_PUT: Final = """
insert into triggers (workspace, name, spec, event_type, enabled, created_by) values ($1, $2, $3, $4, $5, $6)
on conflict (workspace, name) do update set spec = excluded.spec, event_type = excluded.event_type, enabled = excluded.enabled,
    since = case when triggers.spec = excluded.spec then triggers.since else now() end, updated_at = now()
returning *
"""
_GET: Final = "select * from triggers where workspace = $1 and name = $2"
_LIST: Final = "select * from triggers where workspace = $1 and name > $2 order by name limit $3"
_DELETE: Final = "delete from triggers where workspace = $1 and name = $2 returning name"
_HEARD: Final = """
select distinct workspace, event_type from triggers
where (workspace, event_type) in (select * from unnest($1::text[], $2::text[])) and enabled
"""
_MATCHING: Final = """
select * from triggers where workspace = $1 and event_type = $2 and enabled and since <= $3 order by name for update
"""
_INSERT_FIRING: Final = """
insert into firings (workspace, trigger, event_id, event, correlation_id) values ($1, $2, $3, $4, $5)
on conflict do nothing returning trigger
"""
_COUNT_FIRINGS: Final = "select count(*) from firings where workspace = $1 and trigger = $2 and correlation_id = $3"
_MARK_FIRED: Final = "update triggers set last_fired_at = now() where workspace = $1 and name = $2"
_UNMARK_FIRED: Final = "update triggers set last_fired_at = null where workspace = $1 and name = $2"
_CLAIM: Final = """
update firings set leased_until = now() + interval '15 seconds', attempts = attempts + 1
where position = (
    select position from firings where status = 'waiting' and leased_until <= now()
    order by position limit 1 for update skip locked
)
returning workspace, trigger, event, attempts
"""
_RELEASE: Final = """
update firings set leased_until = now() + make_interval(secs => $4), detail = $5
where workspace = $1 and trigger = $2 and event_id = $3
"""
_MARK: Final = """
update firings set status = $4, job = $5, detail = $6
where workspace = $1 and trigger = $2 and event_id = $3 and status = 'waiting' returning position
"""
_LAST_FIRINGS: Final = """
select event_id, status, job, detail, created_at from firings where workspace = $1 and trigger = $2 order by position desc limit 20
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class TriggerRow:
    """A trigger as it is kept."""

    workspace: str
    name: str
    spec: dict[str, Any]
    event_type: str
    enabled: bool
    since: datetime
    last_fired_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Firing:
    """A trigger whose event has come. `attempts` counts this one."""

    workspace: str
    trigger: str
    event: Event[Any]
    attempts: int


def _trigger(row: asyncpg.Record) -> TriggerRow:
    return TriggerRow(**dict(row))


async def put_trigger(
    tx: Connection, workspace: str, actor: str, *, name: str, spec: dict[str, Any], event_type: str, enabled: bool
) -> TriggerRow:
    """Make or change a trigger. A changed one takes events from now on only."""
    row = await tx.fetchrow(_PUT, workspace, name, spec, event_type, enabled, actor)
    assert row is not None
    return _trigger(row)


async def get_trigger(tx: Connection, workspace: str, name: str) -> TriggerRow | None:
    """By name."""
    row = await tx.fetchrow(_GET, workspace, name)
    return None if row is None else _trigger(row)


async def require_trigger(tx: Connection, workspace: str, name: str) -> TriggerRow:
    """Raises TriggerNotFoundError."""
    found = await get_trigger(tx, workspace, name)
    if found is None:
        raise TriggerNotFoundError(name)
    return found


async def list_triggers(tx: Connection, workspace: str, *, after: str, limit: int) -> list[TriggerRow]:
    """A page, by name."""
    return [_trigger(row) for row in await tx.fetch(_LIST, workspace, after, limit)]


async def delete_trigger(tx: Connection, workspace: str, name: str) -> bool:
    """Whether there was one."""
    return await tx.fetchval(_DELETE, workspace, name) is not None


async def heard(tx: Connection, types: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of these workspaces and types of event that a trigger waits for."""
    found = await tx.fetch(_HEARD, [workspace for workspace, _ in types], [type_ for _, type_ in types])
    return {(row["workspace"], row["event_type"]) for row in found}


async def lock_matching(tx: Connection, workspace: str, event_type: str, time: datetime) -> list[TriggerRow]:
    """The enabled triggers on this type of event that existed when it happened, kept from firing elsewhere meanwhile."""
    return [_trigger(row) for row in await tx.fetch(_MATCHING, workspace, event_type, time)]


async def insert_firing(tx: Connection, trigger: TriggerRow, event: Event[Any]) -> bool:
    """Whether this trigger had not fired for this event before."""
    document = event.model_dump(mode="json")
    made = await tx.fetchval(_INSERT_FIRING, trigger.workspace, trigger.name, event.id, document, event.correlationid)
    if made is not None:
        await tx.execute(_MARK_FIRED, trigger.workspace, trigger.name)
    return made is not None


async def count_firings(tx: Connection, trigger: TriggerRow, correlation_id: str) -> int:
    """How often it has fired in one story."""
    count: int = await tx.fetchval(_COUNT_FIRINGS, trigger.workspace, trigger.name, correlation_id)
    return count


async def claim_firing(tx: Connection) -> Firing | None:
    """Take the oldest waiting one for fifteen seconds, or None."""
    row = await tx.fetchrow(_CLAIM)
    if row is None:
        return None
    event = Event[Any].model_validate(row["event"])
    return Firing(workspace=row["workspace"], trigger=row["trigger"], event=event, attempts=row["attempts"])


async def release_firing(tx: Connection, firing: Firing, delay_s: float, detail: str) -> None:
    """Give it back, to be tried again after a delay."""
    await tx.execute(_RELEASE, firing.workspace, firing.trigger, firing.event.id, delay_s, detail)


async def mark_submitted(tx: Connection, firing: Firing, job: str) -> bool:
    """The job exists; False when another worker has said so before."""
    row = await tx.fetchval(_MARK, firing.workspace, firing.trigger, firing.event.id, "submitted", job, None)
    return row is not None


async def mark_missed(tx: Connection, firing: Firing, detail: str) -> bool:
    """No job will be submitted; the cooldown does not count."""
    row = await tx.fetchval(_MARK, firing.workspace, firing.trigger, firing.event.id, "missed", None, detail)
    if row is not None:
        await tx.execute(_UNMARK_FIRED, firing.workspace, firing.trigger)
    return row is not None


async def list_last_firings(tx: Connection, workspace: str, name: str) -> list[dict[str, Any]]:
    """The last twenty, newest first."""
    return [dict(row) for row in await tx.fetch(_LAST_FIRINGS, workspace, name)]
