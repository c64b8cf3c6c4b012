"""From an event to whoever subscribed to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, assert_never

import asyncpg

from modelyard_contracts import Event, EventData, encode, short_type
from modelyard_contracts.notifier import AlertDeadLettered, AlertDelivered, AlertFired, SubscriptionUpdated
from modelyard_platform import database, outbox, telemetry
from modelyard_platform.cause import Cause, cause_of_event
from modelyard_platform.database import Connection, Pool, transaction
from notifier import store
from notifier.clients import Receiver
from notifier.domain.deliveries import Attempt, Delivery, Refused, Result, RetryPolicy, Sent
from notifier.domain.subscriptions import Subscription, SubscriptionType, wants
from notifier.errors import DeliveryPendingError
from notifier.usecases import SOURCE

log = logging.getLogger(__name__)

_POLL_S: Final = 1.0
_RECONNECT_S: Final = 1.0
_PRUNE_EVERY_S: Final = 3600.0
_LEASE_MARGIN_S: Final = 15.0


async def match_events(tx: Connection, events: Sequence[Event[Any]]) -> None:
    """Write down a delivery for each subscription that wants one of these events; sending is the senders' work."""
    enabled = {name: await store.list_enabled(tx, name) for name in {event.workspace for event in events}}
    for event in events:
        for to in enabled[event.workspace]:
            if wants(to, event):
                await _write_down(tx, to, event)


async def _write_down(tx: Connection, to: Subscription, event: Event[Any]) -> None:
    cause = cause_of_event(SOURCE, event)
    kind = short_type(event.type)
    id_ = await store.insert_delivery(tx, to, event.id, kind, event.subject, encode(event).decode(), cause)
    if id_ is not None:
        fired = AlertFired(subscription=to.name, delivery=str(id_), event=str(event.id), event_type=kind)
        await outbox.add(tx, SOURCE, fired, cause)
        await store.wake_senders(tx)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """How deliveries are sent: by which receiver, how often, how many at a time."""

    receivers: Mapping[SubscriptionType, Receiver]
    policy: RetryPolicy
    lease_s: float
    in_flight: int
    in_flight_per_subscription: int


def lease_of(timeout_s: float) -> float:
    """Longer than the longest attempt, so that a lease runs out only when its holder has died."""
    return 2 * timeout_s + _LEASE_MARGIN_S


async def send_deliveries(pool: Pool, sending: Sending, wake: asyncio.Event) -> None:
    """Send what is due until cancelled. `wake` is set when something may have become due; without it, it is looked up every second."""
    under_way: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    pruned = loop.time()
    try:
        while True:
            wake.clear()
            try:
                claimed = await _claim(pool, sending, sending.in_flight - len(under_way))
                if loop.time() - pruned > _PRUNE_EVERY_S:
                    pruned = loop.time()
                    async with transaction(pool) as tx:
                        await store.prune_deliveries(tx)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("deliveries wait for the database", extra={"error": repr(error)})
                claimed = []
            for attempt in claimed:
                task = asyncio.create_task(_deliver(pool, sending, attempt))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                task.add_done_callback(lambda _: wake.set())
            with suppress(TimeoutError):  # not wait_for: in Python 3.11 it may swallow a cancellation
                async with asyncio.timeout(_POLL_S):
                    await wake.wait()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _claim(pool: Pool, sending: Sending, limit: int) -> list[Attempt]:
    if limit <= 0:
        return []
    async with transaction(pool) as tx:
        return await store.claim_attempts(
            tx, limit=limit, per_subscription=sending.in_flight_per_subscription, lease_s=sending.lease_s
        )


async def _deliver(pool: Pool, sending: Sending, attempt: Attempt) -> None:
    """One attempt and what follows from it. When that cannot be written down the lease runs out and it is made again: at least once."""
    try:
        with telemetry.span(f"deliver to {attempt.subscription.name}", parent=attempt.cause.traceparent):
            await _settle(pool, sending.policy, attempt, await _send(sending, attempt))
    except Exception:
        log.exception(
            "not settled: tried again when its lease has run out", extra={"delivery": str(attempt.delivery.id)}
        )


async def _send(sending: Sending, attempt: Attempt) -> Result:
    if attempt.delivery.attempts > sending.policy.max_attempts:
        return Refused("its last attempt was cut short")
    try:
        return await sending.receivers[attempt.subscription.type].send(attempt)
    except Exception as error:
        log.exception("a receiver failed in an unforeseen way", extra={"delivery": str(attempt.delivery.id)})
        return Refused(f"an unforeseen {type(error).__name__}; the notifier's log has it")


async def _settle(pool: Pool, policy: RetryPolicy, attempt: Attempt, result: Result) -> None:
    attempts = attempt.delivery.attempts
    async with transaction(pool) as tx:
        match result:
            case Sent():
                if await store.mark_delivered(tx, attempt):
                    await _tell(tx, attempt, lambda ids: AlertDelivered(**ids, attempts=attempts))
            case Refused(detail=detail, after_s=after_s, gone=gone):
                delay_s = None if gone else policy.delay_s(attempts, wished_s=after_s)
                if delay_s is not None:
                    await store.mark_due_again(tx, attempt, detail, delay_s)
                elif await store.mark_dead(tx, attempt, detail):
                    await _tell(tx, attempt, lambda ids: AlertDeadLettered(**ids, attempts=attempts, detail=detail))
                if gone:
                    await store.disable_subscription(tx, attempt.delivery.workspace, attempt.subscription.name, detail)
                    off = {"enabled": False, "disabled_reason": detail}
                    change = SubscriptionUpdated(
                        subscription=attempt.subscription.name, before={"enabled": True}, after=off
                    )
                    await outbox.add(tx, SOURCE, change, attempt.cause)
            case _:
                assert_never(result)


async def _tell(tx: Connection, attempt: Attempt, event: Callable[[dict[str, Any]], EventData]) -> None:
    delivery = attempt.delivery
    ids = {
        "subscription": delivery.subscription,
        "delivery": str(delivery.id),
        "event": str(delivery.event_id),
        "event_type": delivery.event_type,
    }
    await outbox.add(tx, SOURCE, event(ids), attempt.cause)


async def listen(dsn: str, wake: asyncio.Event) -> None:
    """Set `wake` whenever a delivery becomes due, until cancelled; a lost connection is made anew."""
    while True:
        try:
            await _listen_once(dsn, wake)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("not listening for deliveries", extra={"error": repr(error)})
        await asyncio.sleep(_RECONNECT_S)


async def _listen_once(dsn: str, wake: asyncio.Event) -> None:
    connection = await database.connect(dsn)
    ended = asyncio.Event()
    try:
        connection.add_termination_listener(lambda _: ended.set())
        await connection.add_listener(store.CHANNEL, lambda *_: wake.set())
        wake.set()
        await ended.wait()
    finally:
        connection.terminate()


def document(found: Delivery) -> dict[str, Any]:
    """A delivery as the API answers it."""
    return {
        "id": str(found.id),
        "subscription": found.subscription,
        "event": str(found.event_id),
        "event_type": found.event_type,
        "event_subject": found.event_subject,
        "status": found.status,
        "attempts": found.attempts,
        "detail": found.detail,
        "next_attempt_at": found.next_attempt_at if found.status == "pending" else None,
        "created_at": found.created_at,
        "finished_at": found.finished_at,
    }


async def list_deliveries(
    pool: Pool, workspace: str, subscription: str, *, before: int, status: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page, newest first, and the cursor of the next. Raises SubscriptionNotFoundError."""
    async with transaction(pool) as tx:
        await store.require_subscription(tx, workspace, subscription)
        found = await store.list_deliveries(tx, workspace, subscription, before=before, status=status, limit=limit + 1)
    page = found[:limit]
    return [document(one) for one in page], str(page[-1].position) if len(found) > limit else None


async def replay_delivery(pool: Pool, cause: Cause, id_: str) -> dict[str, Any]:
    """Send a delivered or dead delivery again. Raises DeliveryNotFoundError, DeliveryPendingError."""
    async with transaction(pool) as tx:
        found = await store.require_delivery(tx, cause.workspace, id_)
        if found.status == "pending":
            raise DeliveryPendingError(id_)
        again = await store.mark_replayed(tx, found)
        await store.wake_senders(tx)
        return document(again)
