"""All SQL of the drift monitor."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import asyncpg

from drift_monitor.domain import Batch, Monitor, Plan, SignalState, Window
from drift_monitor.errors import MonitorNotFoundError
from modelyard_platform.database import Connection

_PUT: Final = """
insert into monitors (workspace, name, endpoint, deployment, spec, plan, created_by) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (workspace, name) do update
set endpoint = excluded.endpoint, deployment = excluded.deployment, spec = excluded.spec, plan = excluded.plan,
    updated_at = now()
returning *
"""
_GET: Final = "select * from monitors where workspace = $1 and name = $2"
_LIST: Final = "select * from monitors where workspace = $1 and name > $2 order by name limit $3"
_NAMES: Final = "select name from monitors where workspace = $1 order by name limit 20"
_DELETE: Final = "delete from monitors where workspace = $1 and name = $2 returning name"
_WATCHING: Final = """
select * from monitors where workspace = $1 and endpoint = $2 and deployment = $3 order by name for key share
"""
_DROP_OPEN: Final = "delete from windows where workspace = $1 and monitor = $2 and status = 'open'"
_OPEN: Final = "select * from windows where workspace = $1 and monitor = $2 and status = 'open' for update"
_INSERT_WINDOW: Final = """
insert into windows (workspace, monitor, number, status, model, rows, first_row, last_row, profile)
values ($1, $2, (select coalesce(max(number), 0) + 1 from windows where workspace = $1 and monitor = $2),
        $3, $4, $5, $6, $7, $8)
"""
_GROW: Final = """
update windows set rows = $2, first_row = least(first_row, $3), last_row = greatest(last_row, $4), profile = $5,
    model = coalesce($6, model), status = $7
where id = $1
"""
_CLOSE_DUE: Final = """
update windows w set status = 'closed' from monitors m
where (m.workspace, m.name) = (w.workspace, w.monitor) and w.status = 'open'
  and w.rows >= (m.plan ->> 'min_rows')::bigint
  and w.opened_at + make_interval(secs => (m.plan ->> 'every_s')::bigint) <= now()
"""
_CLOSED: Final = "select * from windows where status = 'closed' order by id limit 1 for update skip locked"
_FINISH: Final = "update windows set status = $2, detail = $3 where id = $1"
_FORGET: Final = """
delete from windows where workspace = $1 and monitor = $2 and status in ('evaluated', 'failed') and number < $3
"""
_STATE: Final = "select state from signals where workspace = $1 and monitor = $2 and signal = $3 for update"
_PUT_STATE: Final = """
insert into signals (workspace, monitor, signal, state, since) values ($1, $2, $3, $4, now())
on conflict (workspace, monitor, signal) do update
set state = excluded.state, since = case when signals.state = excluded.state then signals.since else excluded.since end
"""
_STATES: Final = "select signal, state, since from signals where workspace = $1 and monitor = $2 order by signal"
_INSERT_EVALUATION: Final = """
insert into evaluations (workspace, monitor, signal, number, model, rows, drifted, features)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_EVALUATIONS: Final = """
select signal, number, model, rows, drifted, features, at from evaluations
where workspace = $1 and monitor = $2 order by id desc limit $3
"""
_KEPT_WINDOWS: Final = 100


def _monitor(row: asyncpg.Record) -> Monitor:
    return Monitor(
        workspace=row["workspace"],
        name=row["name"],
        endpoint=row["endpoint"],
        deployment=row["deployment"],
        spec=row["spec"],
        plan=Plan.from_json(row["plan"]),
        created_by=row["created_by"],
        updated_at=row["updated_at"],
    )


def _window(row: asyncpg.Record) -> Window:
    return Window(**{field: row[field] for field in Window.__dataclass_fields__})


async def put_monitor(
    tx: Connection,
    workspace: str,
    actor: str,
    *,
    name: str,
    endpoint: str,
    deployment: str,
    spec: dict[str, Any],
    plan: Plan,
) -> Monitor:
    """Insert or replace. Rows collected for the former plan are dropped: they were sketched for another comparison."""
    row = await tx.fetchrow(_PUT, workspace, name, endpoint, deployment, spec, plan.to_json(), actor)
    assert row is not None
    await tx.execute(_DROP_OPEN, workspace, name)
    return _monitor(row)


async def get_monitor(tx: Connection, workspace: str, name: str) -> Monitor | None:
    """One monitor, or None."""
    row = await tx.fetchrow(_GET, workspace, name)
    return None if row is None else _monitor(row)


async def require_monitor(tx: Connection, workspace: str, name: str) -> Monitor:
    """The monitor. Raises MonitorNotFoundError, saying what exists."""
    row = await tx.fetchrow(_GET, workspace, name)
    if row is None:
        raise MonitorNotFoundError(name, [found["name"] for found in await tx.fetch(_NAMES, workspace)])
    return _monitor(row)


async def list_monitors(tx: Connection, workspace: str, after: str, limit: int) -> list[Monitor]:
    """Monitors by name."""
    return [_monitor(row) for row in await tx.fetch(_LIST, workspace, after, limit)]


async def delete_monitor(tx: Connection, workspace: str, name: str) -> None:
    """Remove a monitor with its windows and evaluations. Raises MonitorNotFoundError."""
    if await tx.fetchval(_DELETE, workspace, name) is None:
        raise MonitorNotFoundError(name, [found["name"] for found in await tx.fetch(_NAMES, workspace)])


async def monitors_of(tx: Connection, workspace: str, endpoint: str, deployment: str) -> list[Monitor]:
    """Who watches a deployment."""
    return [_monitor(row) for row in await tx.fetch(_WATCHING, workspace, endpoint, deployment)]


async def get_open_window(tx: Connection, monitor: Monitor) -> Window | None:
    """The window that takes rows, locked, or None."""
    row = await tx.fetchrow(_OPEN, monitor.workspace, monitor.name)
    return _window(row) if row else None


async def insert_window(tx: Connection, monitor: Monitor, batch: Batch, profile: bytes, *, closed: bool) -> None:
    """A new window with its first rows."""
    await tx.execute(
        _INSERT_WINDOW,
        monitor.workspace,
        monitor.name,
        "closed" if closed else "open",
        batch.model,
        batch.profile.rows,
        batch.first_row,
        batch.last_row,
        profile,
    )


async def grow_window(tx: Connection, window: Window, batch: Batch, profile: bytes, rows: int, *, closed: bool) -> None:
    """More rows in a window; `closed` when it is full."""
    status = "closed" if closed else "open"
    await tx.execute(_GROW, window.id, rows, batch.first_row, batch.last_row, profile, batch.model, status)


async def close_due_windows(tx: Connection) -> None:
    """Close the windows whose time is up. One with too few rows stays open until it has enough to say something."""
    await tx.execute(_CLOSE_DUE)


async def claim_closed_window(tx: Connection) -> Window | None:
    """The oldest closed window, locked for this transaction, or None."""
    row = await tx.fetchrow(_CLOSED)
    return _window(row) if row else None


async def mark_window(tx: Connection, window: Window, status: str, detail: str | None = None) -> None:
    """Evaluated, or failed with a reason; sketches of long ago are dropped."""
    await tx.execute(_FINISH, window.id, status, detail)
    await tx.execute(_FORGET, window.workspace, window.monitor, window.number - _KEPT_WINDOWS)


async def get_state(tx: Connection, monitor: Monitor, signal: str) -> SignalState:
    """A signal's state; one never seen is quiet."""
    state: SignalState | None = await tx.fetchval(_STATE, monitor.workspace, monitor.name, signal)
    return state or "quiet"


async def put_state(tx: Connection, monitor: Monitor, signal: str, state: SignalState) -> None:
    """Keep a signal's state; `since` changes only with it."""
    await tx.execute(_PUT_STATE, monitor.workspace, monitor.name, signal, state)


async def insert_evaluation(
    tx: Connection, window: Window, signal: str, *, drifted: bool, features: list[dict[str, Any]]
) -> None:
    """Keep what one window showed."""
    await tx.execute(
        _INSERT_EVALUATION,
        window.workspace,
        window.monitor,
        signal,
        window.number,
        window.model,
        window.rows,
        drifted,
        features,
    )


async def list_signals(tx: Connection, monitor: Monitor) -> list[tuple[str, SignalState, datetime]]:
    """Signals with state and since when."""
    rows = await tx.fetch(_STATES, monitor.workspace, monitor.name)
    return [(row["signal"], row["state"], row["since"]) for row in rows]


async def list_evaluations(tx: Connection, monitor: Monitor, limit: int) -> list[dict[str, Any]]:
    """The newest evaluations, newest first."""
    return [dict(row) for row in await tx.fetch(_EVALUATIONS, monitor.workspace, monitor.name, limit)]
