"""Work orders: which steps' orders are due, under way, or to be recalled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection
from scheduler.domain.plans import STEP_PLAN, StepPlan

_CLAIM: Final = """
with due as (
    select id from steps where order_state = 'due' and order_after <= now() order by order_after limit $1 for update skip locked
), claimed as (
    update steps set order_after = now() + interval '10 seconds' from due where steps.id = due.id returning steps.*
)
select c.id, c.workspace, c.job, c.name, c.attempt, c.plan, c.inputs, c.lock, c.order_number, j.cause
from claimed c join jobs j on (j.workspace, j.name) = (c.workspace, c.job) order by c.queued_at
"""
_RELEASE: Final = """
update steps set order_after = now() + make_interval(secs => $3) where id = $1 and order_number = $2 and order_state = 'due'
"""
# A step that was canceled meanwhile is over already: its order is on the stream now, and is recalled.
_MARK_SENT: Final = """
update steps set order_sequence = $3, order_after = now(),
    order_state = case when order_state = 'due' then 'sent' else 'recalled' end
where id = $1 and order_number = $2 and (order_state = 'due' or (order_state = 'over' and status = 'canceled'))
"""
_UNDER_WAY: Final = """
select id, attempt, order_sequence, order_number, order_state, started_at is not null as begun from steps
where order_state in ('sent', 'recalled') and order_after < now() - make_interval(secs => $1) and id > $2 order by id limit $3
"""
_MARK_LOST: Final = """
update steps set order_state = 'due', order_number = order_number + 1, order_after = now()
where id = $1 and order_number = $2 and order_state = 'sent' and status in ('queued', 'running')
returning id
"""
_MARK_OVER: Final = """
update steps set order_state = 'over' where id = $1 and order_number = $2 and order_state = 'recalled'
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class DueOrder:
    """A step to be ordered from the runners. `number` counts the times it was."""

    id: UUID
    workspace: str
    job: str
    attempt: int
    plan: StepPlan
    inputs: dict[str, Any]
    lock: str | None
    number: int
    cause: Cause


@dataclass(frozen=True, kw_only=True, slots=True)
class SentOrder:
    """An order that the stream should hold at `sequence`."""

    id: UUID
    attempt: int
    sequence: int
    number: int
    recalled: bool
    begun: bool


async def claim_due(tx: Connection, limit: int) -> list[DueOrder]:
    """Take due orders for ten seconds."""
    return [
        DueOrder(
            id=row["id"],
            workspace=row["workspace"],
            job=row["job"],
            attempt=row["attempt"],
            plan=STEP_PLAN.validate_python(row["plan"]),
            inputs=row["inputs"],
            lock=row["lock"],
            number=row["order_number"],
            cause=Cause(**row["cause"]),
        )
        for row in await tx.fetch(_CLAIM, limit)
    ]


async def release(tx: Connection, order: DueOrder, delay_s: float) -> None:
    """Give an order back that could not be published."""
    await tx.execute(_RELEASE, order.id, order.number, delay_s)


async def mark_sent(tx: Connection, order: DueOrder, sequence: int) -> None:
    """The stream has it."""
    await tx.execute(_MARK_SENT, order.id, order.number, sequence)


async def list_under_way(tx: Connection, *, older_than_s: float, after: UUID, limit: int) -> list[SentOrder]:
    """Orders that were sent some time ago, by id."""
    return [
        SentOrder(
            id=row["id"],
            attempt=row["attempt"],
            sequence=row["order_sequence"],
            number=row["order_number"],
            recalled=row["order_state"] == "recalled",
            begun=row["begun"],
        )
        for row in await tx.fetch(_UNDER_WAY, older_than_s, after, limit)
    ]


async def mark_lost(tx: Connection, order: SentOrder) -> bool:
    """The stream has lost it while the step still needs it: due again. False when the step has ended meanwhile."""
    return await tx.fetchval(_MARK_LOST, order.id, order.number) is not None


async def mark_over(tx: Connection, order: SentOrder) -> None:
    """A recalled order is gone."""
    await tx.execute(_MARK_OVER, order.id, order.number)
