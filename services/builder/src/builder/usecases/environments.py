"""Registered environments are locked ahead of their first use."""

from __future__ import annotations

import time
from typing import Any

from builder import store
from builder.domain.tasks import Done, Failed, Outcome, Task
from builder.usecases.locks import Locker, lock_environment
from modelyard_contracts import Event, EventData
from modelyard_contracts.builder import EnvironmentBuildFailed, EnvironmentBuilt
from modelyard_contracts.registry import EnvironmentRegistered
from modelyard_platform.cause import cause_of_event
from modelyard_platform.database import Connection


async def ask(tx: Connection, event: Event[EnvironmentRegistered]) -> None:
    """Write down that this environment is to be locked."""
    await store.insert_task(tx, "environment", event.data.name, event.data.version, cause_of_event("builder", event))


async def build(locker: Locker, task: Task) -> Outcome:
    """Lock a registered environment."""
    started = time.monotonic()
    found = await locker.registry.version("environments", task.workspace, task.name, task.version)
    lock: dict[str, Any] = await lock_environment(locker, task.workspace, found["spec"])
    seconds = round(time.monotonic() - started, 3)
    return Done(
        {"lock": lock["digest"], "python": lock["python"], "packages": len(lock["packages"]), "seconds": seconds}
    )


def tell(task: Task, outcome: Outcome) -> EventData | None:
    """The event of what became of it."""
    match outcome:
        case Done(result=result):
            return EnvironmentBuilt(name=task.name, version=task.version, **result)
        case Failed(detail=detail):
            return EnvironmentBuildFailed(name=task.name, version=task.version, detail=detail)
        case _:
            return None
