"""Making, showing and removing monitors."""

from __future__ import annotations

import asyncio
from typing import Any

from drift_monitor import store
from drift_monitor.clients import Profiles
from drift_monitor.domain import Monitor, Plan, SignalPlan, cadence, features_of, rules_of
from drift_monitor.errors import InvalidError, UnsupportedMonitorError
from drift_monitor.usecases import SOURCE
from modelyard_contracts.drift_monitor import MonitorDeleted, MonitorUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.changes import masked
from modelyard_platform.database import Pool, transaction
from modelyard_platform.objects import ObjectStore
from modelyard_platform.specs import load_spec
from modelyard_profiles import MIN_ROWS, TableProfile
from modelyard_specs.kinds.schedules import DataDrift, MonitorSchedule


async def put_monitor(
    pool: Pool, objects: ObjectStore, profiles: Profiles, cause: Cause, name: str, spec: dict[str, Any]
) -> dict[str, Any]:
    """Make or replace a monitor: its specification is checked and its baselines are found before anything is stored."""
    document = load_spec({**spec, "name": name}, "schedule")
    schedule = document.model
    if not isinstance(schedule, MonitorSchedule):
        raise InvalidError(
            f"this is a {document.kind.replace('_', ' ')}, not a monitor schedule", path="create_monitor"
        )
    target = schedule.create_monitor.monitoring_target
    watched = target.deployment if target else None
    if watched is None:
        raise InvalidError(
            "say which deployment is watched: endpoint_deployment_id: azureml:ENDPOINT:DEPLOYMENT",
            path="create_monitor.monitoring_target.endpoint_deployment_id",
        )
    every_s, window_rows = cadence(schedule)
    signals = [
        await _signal(objects, profiles, cause.workspace, signal_name, signal)
        for signal_name, signal in schedule.create_monitor.monitoring_signals.items()
    ]
    if not signals:
        raise UnsupportedMonitorError(
            "say what is compared: a data_drift signal with reference_data; defaults are not chosen yet",
            path="create_monitor.monitoring_signals",
        )
    plan = Plan(every_s=every_s, window_rows=window_rows, min_rows=MIN_ROWS, signals=tuple(signals))
    async with transaction(pool) as tx:
        before = await store.get_monitor(tx, cause.workspace, name)
        monitor = await store.put_monitor(
            tx,
            cause.workspace,
            cause.actor,
            name=name,
            endpoint=watched[0],
            deployment=watched[1],
            spec=document.spec(),
            plan=plan,
        )
        if before is None or (before.spec, before.plan) != (monitor.spec, monitor.plan):
            former = masked(before.spec) if before else None
            change = MonitorUpdated(**_about(monitor), before=former, after=masked(monitor.spec))
            await outbox.add(tx, SOURCE, change, cause)
    return describe(monitor) | {"ignored": list(document.ignored)}


async def _signal(objects: ObjectStore, profiles: Profiles, workspace: str, name: str, signal: object) -> SignalPlan:
    path = f"create_monitor.monitoring_signals.{name}"
    if not isinstance(signal, DataDrift):
        raise UnsupportedMonitorError(
            "only signals of type data_drift are acted upon yet; leave this one out", path=f"{path}.type"
        )
    reference = signal.reference_data
    if reference is None or reference.input_data is None or reference.input_data.path is None:
        raise InvalidError("say what is compared with: reference_data.input_data.path", path=f"{path}.reference_data")
    data, blob = await profiles.blob_of(workspace, reference.input_data.path)
    baseline = TableProfile.from_bytes(await asyncio.to_thread(objects.get_bytes, blob))
    return SignalPlan(
        name=name, reference=data, baseline=blob, features=features_of(signal, baseline), rules=rules_of(signal)
    )


def describe(monitor: Monitor) -> dict[str, Any]:
    """A monitor as the API answers it."""
    return {
        "name": monitor.name,
        "endpoint": monitor.endpoint,
        "deployment": monitor.deployment,
        "every_s": monitor.plan.every_s,
        "window_rows": monitor.plan.window_rows,
        "signals": {signal.name: {"reference": signal.reference} for signal in monitor.plan.signals},
        "spec": monitor.spec,
        "created_by": monitor.created_by,
        "updated_at": monitor.updated_at,
    }


async def get_monitor(pool: Pool, workspace: str, name: str) -> dict[str, Any]:
    """One monitor."""
    async with transaction(pool) as tx:
        return describe(await store.require_monitor(tx, workspace, name))


async def list_monitors(pool: Pool, workspace: str, after: str, limit: int) -> tuple[list[dict[str, Any]], str | None]:
    """A page of monitors, and the cursor of the next."""
    async with transaction(pool) as tx:
        found = await store.list_monitors(tx, workspace, after, limit + 1)
    page = found[:limit]
    return [describe(monitor) for monitor in page], page[-1].name if len(found) > limit else None


async def delete_monitor(pool: Pool, cause: Cause, name: str) -> None:
    """Watch no longer."""
    async with transaction(pool) as tx:
        monitor = await store.require_monitor(tx, cause.workspace, name)
        await store.delete_monitor(tx, cause.workspace, name)
        await outbox.add(tx, SOURCE, MonitorDeleted(**_about(monitor), before=masked(monitor.spec)), cause)


def _about(monitor: Monitor) -> dict[str, Any]:
    return {
        "monitor": monitor.name,
        "endpoint": monitor.endpoint,
        "deployment": monitor.deployment,
        "references": sorted({signal.reference for signal in monitor.plan.signals}),
    }


async def read_signals(pool: Pool, workspace: str, name: str, limit: int) -> dict[str, Any]:
    """Each signal's state, the window that is filling, and what the newest windows showed."""
    async with transaction(pool) as tx:
        monitor = await store.require_monitor(tx, workspace, name)
        states = {signal: (state, since) for signal, state, since in await store.list_signals(tx, monitor)}
        window = await store.get_open_window(tx, monitor)
        evaluations = await store.list_evaluations(tx, monitor, limit)
    return {
        "signals": [
            {
                "name": signal.name,
                "state": states.get(signal.name, ("quiet", None))[0],
                "since": states.get(signal.name, ("quiet", None))[1],
            }
            for signal in monitor.plan.signals
        ],
        "window_rows": window.rows if window else 0,
        "evaluations": evaluations,
    }
