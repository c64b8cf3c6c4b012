"""Work orders: published after the commit that made them due, at least once, and published again when the stream has lost them."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final
from uuid import UUID

from prometheus_client import Counter, Gauge

from modelyard_contracts.work import StepInput, StepOrder, StepResult
from modelyard_platform import identity
from modelyard_platform.cause import Identity
from modelyard_platform.database import Pool, transaction
from scheduler.clients.work import WorkStream
from scheduler.domain import plans
from scheduler.errors import StaleAttemptError
from scheduler.store import orders, steps
from scheduler.store.orders import DueOrder, SentOrder
from scheduler.usecases import advancing

log = logging.getLogger(__name__)

ACTIVE: Final = Gauge("modelyard_scheduler_steps", "Steps that have not ended", ("status",))
LOST: Final = Counter(
    "modelyard_scheduler_orders_lost_total", "Orders the stream had lost and that were published again"
)

MAX_ORDERS: Final = 5
"""A step that was ordered so often without a result has failed."""

_BATCH: Final = 64
_RETRY_S: Final = 1.0
_PAGE: Final = 500
_SETTLED_S: Final = 2.0
_TOKEN_MARGIN_S: Final = 3600


def compose(order: DueOrder, identity_key: str) -> StepOrder:
    """The message, with a token for the step: its own identity for the gateway, for as long as it may take and an hour in the
    queue. It is made here so that it is never stored with the step."""
    who = Identity(actor=f"job:{order.job}", role="contributor", workspace=order.workspace)
    lifetime_s = int(order.plan.timeout_s) + _TOKEN_MARGIN_S
    token = identity.sign(identity_key, who, issuer="scheduler", lifetime_s=lifetime_s, audience="gateway")
    return StepOrder(
        step_id=order.id.hex,
        attempt=order.attempt,
        workspace=order.workspace,
        job=order.job,
        step=order.plan.name,
        command=order.plan.command,
        code=order.plan.code,
        code_subject=order.plan.code_subject,
        code_manifest=order.plan.code_manifest,
        environment=order.lock,
        inputs={name: StepInput.model_validate(given) for name, given in order.inputs.items()},
        outputs=plans.order_outputs(order.plan),
        environment_variables=order.plan.environment_variables,
        timeout_s=order.plan.timeout_s,
        token=token,
        correlation_id=order.cause.correlation_id,
        causation_id=order.cause.causation_id,
        traceparent=order.cause.traceparent,
    )


async def publish_due(pool: Pool, work: WorkStream, identity_key: str) -> bool:
    """Publish what is due; False when nothing was. An order that could not be published stays due."""
    async with transaction(pool) as tx:
        due = await orders.claim_due(tx, _BATCH)
    if not due:
        return False
    sent = await asyncio.gather(
        *(work.publish(compose(order, identity_key), order.number) for order in due), return_exceptions=True
    )
    # A transaction each: one that held several steps' rows could wait for a job that is being canceled, and that job for it.
    for order, got in zip(due, sent, strict=True):
        async with transaction(pool) as tx:
            if isinstance(got, int):
                await orders.mark_sent(tx, order, got)
            else:
                await orders.release(tx, order, _RETRY_S)
    failed = [got for got in sent if isinstance(got, BaseException)]
    if failed:
        log.warning("orders wait", extra={"orders": len(failed), "error": repr(failed[0])})
    return len(failed) < len(due)


async def check_orders(pool: Pool, work: WorkStream) -> None:
    """Compare every order under way with the stream: one that it has lost is due again; a recalled one is recalled until it is gone."""
    async with transaction(pool) as tx:
        active = await steps.count_active(tx)
    for status in ("waiting", "queued", "running"):
        ACTIVE.labels(status).set(active.get(status, 0))
    after = UUID(int=0)
    while True:
        async with transaction(pool) as tx:
            page = await orders.list_under_way(tx, older_than_s=_SETTLED_S, after=after, limit=_PAGE)
        for order in page:
            held = await work.holds(order.sequence, order.id)
            if order.recalled:
                await _recall(pool, work, order, held=held)
            elif not held:
                await _order_again(pool, order)
        if len(page) < _PAGE:
            return
        after = page[-1].id


async def _order_again(pool: Pool, order: SentOrder) -> None:
    if order.number >= MAX_ORDERS:
        reason = (
            f"its order was taken off the queue {order.number} times without a result; the dead letters may say why"
        )
        with suppress(StaleAttemptError):
            await advancing.step_finished(pool, order.id, order.attempt, StepResult(status="failed", reason=reason))
        return
    async with transaction(pool) as tx:
        if await orders.mark_lost(tx, order):
            LOST.inc()
            log.warning("the stream has lost an order: publishing again", extra={"step": order.id.hex})


async def recall_canceled(pool: Pool, work: WorkStream) -> None:
    """Stop what was canceled just now."""
    async with transaction(pool) as tx:
        page = await orders.list_under_way(tx, older_than_s=0, after=UUID(int=0), limit=_PAGE)
    for order in page:
        if order.recalled:
            await _recall(pool, work, order, held=True)


async def _recall(pool: Pool, work: WorkStream, order: SentOrder, *, held: bool) -> None:
    if held:
        await work.recall(order.id)
        if not order.begun:
            await work.remove(order.sequence)
        return
    async with transaction(pool) as tx:
        await orders.mark_over(tx, order)
