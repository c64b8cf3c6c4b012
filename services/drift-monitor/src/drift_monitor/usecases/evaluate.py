"""A closed window against its baselines: the outcome, and an event when drift begins or ends."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import Any, Final
from uuid import uuid4

from drift_monitor import store
from drift_monitor.domain import Monitor, SignalPlan, Window, findings, next_state
from drift_monitor.errors import MonitorNotFoundError
from drift_monitor.usecases import SOURCE
from modelyard_contracts.drift_monitor import DriftDetected, DriftResolved, MonitorEvaluated, MonitorEvent
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.objects import ObjectStore
from modelyard_profiles import ProfileError, TableProfile, compare

log = logging.getLogger(__name__)

_IDLE_S: Final = 0.5
_AGAIN_S: Final = 5.0


class Evaluator:
    """Compares windows, one at a time. Baselines are kept in memory by their digest."""

    def __init__(self, pool: Pool, objects: ObjectStore) -> None:
        self._pool = pool
        self._baseline = lru_cache(maxsize=32)(lambda blob: TableProfile.from_bytes(objects.get_bytes(blob)))

    async def work(self) -> None:
        """Close what is due and compare what is closed, until cancelled."""
        while True:
            try:
                async with transaction(self._pool) as tx:
                    await store.close_due_windows(tx)
                delay = 0.0 if await self.evaluate_next() else _IDLE_S
            except Exception:
                log.exception("evaluation failed; the window is tried again")
                delay = _AGAIN_S
            await asyncio.sleep(delay)

    async def evaluate_next(self) -> bool:
        """Compare the oldest closed window; False when there is none. The outcome and its events are one transaction."""
        async with transaction(self._pool) as tx:
            window = await store.claim_closed_window(tx)
            if window is None:
                return False
            try:
                monitor = await store.require_monitor(tx, window.workspace, window.monitor)
                current = TableProfile.from_bytes(window.profile)
                for signal in monitor.plan.signals:
                    baseline = await asyncio.to_thread(self._baseline, signal.baseline)
                    await _evaluate(tx, monitor, window, signal, baseline, current)
            except (ProfileError, MonitorNotFoundError) as error:
                await store.mark_window(tx, window, "failed", str(error))
            else:
                await store.mark_window(tx, window, "evaluated")
        return True


async def _evaluate(
    tx: Connection, monitor: Monitor, window: Window, signal: SignalPlan, baseline: TableProfile, current: TableProfile
) -> None:
    results = compare(baseline, current, rules=signal.rules, min_rows=monitor.plan.min_rows, features=signal.features)
    found = findings(results)
    drifted = tuple(finding for finding in found if finding.drifted)
    state, change = next_state(await store.get_state(tx, monitor, signal.name), drifted=bool(drifted))
    await store.put_state(tx, monitor, signal.name, state)
    features = [finding.model_dump() for finding in found]
    await store.insert_evaluation(tx, window, signal.name, drifted=bool(drifted), features=features)

    cause = Cause(actor=f"service:{SOURCE}", workspace=window.workspace, correlation_id=uuid4().hex)
    about: dict[str, Any] = {
        "monitor": monitor.name,
        "endpoint": monitor.endpoint,
        "deployment": monitor.deployment,
        "model": window.model,
        "signal": signal.name,
        "window": window.number,
        "rows": window.rows,
        "baseline_rows": baseline.rows,
        "window_start": window.first_row,
        "window_end": window.last_row,
    }
    evaluated = await outbox.add(tx, SOURCE, MonitorEvaluated(**about, features=found), cause)
    changed: MonitorEvent | None = None
    if change == "detected":
        changed = DriftDetected(**about, features=drifted)
    elif change == "resolved":
        changed = DriftResolved(**about, features=found)
    if changed is not None:
        await outbox.add(tx, SOURCE, changed, cause.because_of(str(evaluated.id)))
