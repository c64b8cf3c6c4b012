"""All SQL of the builder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import asyncpg

from builder.domain.requirements import Requirements
from builder.domain.tasks import Task, TaskKind, TaskStatus
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection

_INSERT_LOCK: Final = """
insert into environment_locks (spec_digest, python, requirements) values ($1, $2, $3) on conflict do nothing
"""
_CLAIM_LOCK: Final = """
update environment_locks set leased_until = now() + make_interval(secs => $2), attempts = attempts + 1, error = null
where spec_digest = $1 and lock is null and leased_until <= now() returning attempts
"""
_GET_LOCK: Final = "select *, leased_until > now() as leased from environment_locks where spec_digest = $1"
_BY_DIGEST: Final = "select * from environment_locks where lock = $1 order by created_at limit 1"
_SET_LOCK: Final = """
update environment_locks set lock = $2, packages = $3, locked_at = now(), leased_until = '-infinity'
where spec_digest = $1 and lock is null
"""
_SET_ERROR: Final = """
update environment_locks set error = $3, leased_until = '-infinity' where spec_digest = $1 and attempts = $2 and lock is null
"""

_INSERT_TASK: Final = """
insert into tasks (kind, workspace, name, version, cause) values ($1, $2, $3, $4, $5) on conflict do nothing
"""
_CLAIM_TASK: Final = """
update tasks set leased_until = now() + make_interval(secs => $2), attempts = attempts + 1
where (kind, workspace, name, version) = (
    select kind, workspace, name, version from tasks
    where kind = $1 and status = 'pending' and next_attempt_at <= now() and leased_until <= now()
    order by next_attempt_at limit 1 for update skip locked
)
returning *
"""
_RENEW: Final = """
update tasks set leased_until = now() + make_interval(secs => $6)
where kind = $1 and workspace = $2 and name = $3 and version = $4 and attempts = $5 and status = 'pending' returning true
"""
_FINISH: Final = """
update tasks set status = $6, detail = $7, result = $8, finished_at = now(), leased_until = '-infinity'
where kind = $1 and workspace = $2 and name = $3 and version = $4 and attempts = $5 and status = 'pending' returning true
"""
_AGAIN: Final = """
update tasks set detail = $6, next_attempt_at = now() + make_interval(secs => $7), leased_until = '-infinity'
where kind = $1 and workspace = $2 and name = $3 and version = $4 and attempts = $5 and status = 'pending'
"""
_LIST: Final = """
select * from tasks
where kind = $1 and workspace = $2 and ($3::text is null or name = $3) and ($4::text is null or version = $4)
order by created_at desc limit $5
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockRow:
    """A specification and the lock it became. `error` is a problem document, `attempts` the one it belongs to."""

    spec_digest: str
    python: str
    lock: str | None
    packages: list[str]
    error: dict[str, Any] | None
    attempts: int
    leased: bool


def _lock_row(row: asyncpg.Record, *, leased: bool) -> LockRow:
    names = ("spec_digest", "python", "lock", "packages", "error", "attempts")
    return LockRow(**{name: row[name] for name in names}, leased=leased)


def _task(row: asyncpg.Record) -> Task:
    fields = {name: row[name] for name in Task.__dataclass_fields__}
    return Task(**(fields | {"cause": Cause(**row["cause"])}))


def _key(task: Task) -> tuple[str, str, str, str, int]:
    return task.kind, task.workspace, task.name, task.version, task.attempts


async def claim_lock(tx: Connection, requirements: Requirements, lease_s: float) -> int | None:
    """Take on resolving these requirements for `lease_s` seconds: the attempt's number; None when it is done, or somebody is at it."""
    await tx.execute(_INSERT_LOCK, requirements.digest, requirements.python, list(requirements.lines))
    attempt: int | None = await tx.fetchval(_CLAIM_LOCK, requirements.digest, lease_s)
    return attempt


async def get_lock(tx: Connection, spec_digest: str) -> LockRow | None:
    row = await tx.fetchrow(_GET_LOCK, spec_digest)
    return None if row is None else _lock_row(row, leased=row["leased"])


async def get_lock_by_digest(tx: Connection, lock: str) -> LockRow | None:
    row = await tx.fetchrow(_BY_DIGEST, lock)
    return None if row is None else _lock_row(row, leased=False)


async def mark_locked(tx: Connection, spec_digest: str, lock: str, packages: Sequence[str]) -> None:
    """The first lock of a specification stays: what was resolved once is never resolved differently."""
    await tx.execute(_SET_LOCK, spec_digest, lock, list(packages))


async def mark_lock_failed(tx: Connection, spec_digest: str, attempt: int, error: dict[str, Any]) -> None:
    await tx.execute(_SET_ERROR, spec_digest, attempt, error)


async def insert_task(tx: Connection, kind: TaskKind, name: str, version: str, cause: Cause) -> None:
    """Ask for work; asking twice is asking once."""
    await tx.execute(_INSERT_TASK, kind, cause.workspace, name, version, asdict(cause))


async def claim_task(tx: Connection, kind: TaskKind, lease_s: float) -> Task | None:
    """The longest due task, or None."""
    row = await tx.fetchrow(_CLAIM_TASK, kind, lease_s)
    return None if row is None else _task(row)


async def renew_lease(tx: Connection, task: Task, lease_s: float) -> bool:
    """False when the task is no longer this attempt's."""
    return await tx.fetchval(_RENEW, *_key(task), lease_s) is not None


async def finish_task(
    tx: Connection, task: Task, status: TaskStatus, detail: str | None, result: dict[str, Any]
) -> bool:
    """False when the task is no longer this attempt's."""
    return await tx.fetchval(_FINISH, *_key(task), status, detail, result) is not None


async def mark_due_again(tx: Connection, task: Task, detail: str, delay_s: float) -> None:
    await tx.execute(_AGAIN, *_key(task), detail, delay_s)


async def list_tasks(
    tx: Connection, kind: TaskKind, workspace: str, *, name: str | None, version: str | None, limit: int
) -> list[Task]:
    """Newest first."""
    return [_task(row) for row in await tx.fetch(_LIST, kind, workspace, name, version, limit)]
