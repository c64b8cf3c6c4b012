"""Event handlers: each event once, with its effect, in one transaction; failures are retried with a delay or kept as dead letters.

Built on FastStream's pull subscribers with manual acknowledgement: its default policy would drop a message whose handler raised.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias, TypeVar, assert_never

import asyncpg
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from faststream.nats.annotations import NatsMessage
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy as ConsumerAck
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError as ConsumerMissingError
from pydantic import ValidationError

from modelyard_contracts import Event, EventData, UnknownEventTypeError, decode, short_type
from modelyard_platform import inbox, telemetry
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import PlatformError, message_fate
from modelyard_platform.relay import STREAM

log = logging.getLogger(__name__)

MAX_DELIVERIES: Final = 40
"""A message that failed this often becomes a dead letter; with the delays below that is about half an hour."""

_DELAYS_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_ACK_WAIT_S: Final = 60.0
_WATCH_EVERY_S: Final = 2.0
_INACTIVE_S: Final = 30 * 86400.0
_BATCH: Final = 64
"""So many events share a transaction at most: a failure makes all of them be handled again."""

D = TypeVar("D", bound=EventData)
Handler: TypeAlias = Callable[[Connection, Event[D]], Awaitable[None]]
BurstHandler: TypeAlias = Callable[[Connection, Sequence[Event[Any]]], Awaitable[None]]
Where: TypeAlias = Callable[[Event[Any]], bool]


@dataclass(frozen=True, slots=True)
class Ack:
    """Done; not to be delivered again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """To be delivered again after a delay."""

    delay_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Will never succeed as it is: kept with its reason, to be looked at and replayed."""

    reason: str


Outcome: TypeAlias = Ack | Retry | DeadLetter


def retry_delay_s(deliveries: int) -> float:
    """How long the nth failed delivery waits for the next."""
    return _DELAYS_S[min(deliveries, len(_DELAYS_S)) - 1]


def outcome_of(error: BaseException, deliveries: int) -> Outcome:
    """What becomes of a message whose handler raised. Pure: the whole policy stands here."""
    match error:
        case UnknownEventTypeError() | ValidationError():
            return DeadLetter(f"not understood: {error}")
        case PlatformError() if message_fate(error.kind) == "dead_letter":
            return DeadLetter(f"{error.code}: {error.detail}")
        case _ if deliveries >= MAX_DELIVERIES:
            return DeadLetter(f"failed {deliveries} times, last with {error!r}")
        case _:
            return Retry(retry_delay_s(deliveries), repr(error))


@dataclass(frozen=True, slots=True)
class _Consumer:
    """One durable consumer: what it gets, of that what it wants, and who handles it, also what comes together if `burst` is there."""

    subject: str
    durable: str
    handler: Handler[Any]
    where: Where
    burst: BurstHandler | None = None


class Subscribers:
    """The handlers of one service, one durable consumer each.

    A handler gets the transaction that also holds its inbox entry: raising rolls both back. It must not do slow work: it
    writes down what is to be done.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._consumers: list[_Consumer] = []

    def on(
        self, *event_classes: type[EventData], where: Callable[[Event[D]], bool] = lambda _: True
    ) -> Callable[[Handler[D]], Handler[D]]:
        """Register `on_…` for events, or those of them for which `where` holds: the others cost no transaction.

        The durable consumer is named after the service and the event.
        """

        def register(handler: Handler[D]) -> Handler[D]:
            for event_class in event_classes:
                durable = f"{self._service}-{event_class.TYPE.replace('.', '-')}"
                self._consumers.append(_Consumer(f"modelyard.*.{event_class.TYPE}", durable, handler, where))
            return handler

        return register

    def on_any(self, *, except_: tuple[str, ...] = ()) -> Callable[[BurstHandler], BurstHandler]:
        """Register one handler for every event but those whose type fits a pattern of `except_`, such as `alert.*`.

        There is one durable consumer, `<service>-all`. The handler gets the events that came together in one transaction, so that a
        burst costs few statements; where that fails, it gets each by itself. An event's own `sequence`, not its arrival, says what
        came first.
        """

        def wanted(event: Event[Any]) -> bool:
            return not any(fnmatchcase(short_type(event.type), pattern) for pattern in except_)

        def register(handler: BurstHandler) -> BurstHandler:
            async def alone(tx: Connection, event: Event[Any]) -> None:
                await handler(tx, [event])

            self._consumers.append(_Consumer("modelyard.>", f"{self._service}-all", alone, wanted, handler))
            return handler

        return register

    def attach(self, broker: NatsBroker, pool: Pool) -> None:
        """Declare one FastStream subscriber for each handler."""
        for consumer in self._consumers:
            broker.subscriber(
                subject=consumer.subject,
                durable=consumer.durable,
                stream=JStream(STREAM, declare=False),
                pull_sub=PullSub(batch_size=_BATCH if consumer.burst else 16, timeout=5.0),
                ack_policy=AckPolicy.MANUAL,
                config=ConsumerConfig(
                    ack_policy=ConsumerAck.EXPLICIT,
                    ack_wait=_ACK_WAIT_S,
                    max_deliver=-1,
                    max_ack_pending=256,
                    deliver_policy=DeliverPolicy.ALL,
                    inactive_threshold=_INACTIVE_S,
                ),
                decoder=_as_it_is,
                title=consumer.durable,
            )(_consume(consumer, broker, pool))


async def _as_it_is(message: NatsMessage) -> NatsMessage:
    """What FastStream hands over: events are decoded once, by us."""
    return message


def _consume(consumer: _Consumer, broker: NatsBroker, pool: Pool) -> Callable[..., Any]:
    durable = consumer.durable
    burst = _Burst(durable, consumer.burst, pool) if consumer.burst else None

    async def consume(message: NatsMessage) -> None:
        raw = message.raw_message
        outcome: Outcome | None = None
        try:
            event = decode(raw.data)
        except (UnknownEventTypeError, ValidationError) as error:
            outcome = outcome_of(error, raw.metadata.num_delivered)
            log.error("not understood", extra={"consumer": durable, "outcome": repr(outcome)}, exc_info=error)  # noqa: TRY400
        else:
            if not consumer.where(event):
                outcome = Ack()
            elif burst is not None:
                outcome = await burst.handled(event)
            if outcome is None:
                outcome = await _handle(durable, consumer.handler, pool, event, raw.metadata.num_delivered)
        await settle(raw, outcome, durable=durable, jetstream=broker.config.connection_state.stream)

    return consume


async def _handle(durable: str, handler: Handler[Any], pool: Pool, event: Event[Any], deliveries: int) -> Outcome:
    try:
        with telemetry.span(f"on {event.type}", parent=event.traceparent):
            async with transaction(pool) as tx:
                await inbox.once(tx, durable, event.id, lambda: handler(tx, event))
    except inbox.HandledMeanwhileError:
        return Ack()
    except Exception as error:
        outcome = outcome_of(error, deliveries)
        level = logging.WARNING if isinstance(error, OSError | asyncpg.PostgresError) else logging.ERROR
        log.log(level, "handler failed", extra={"consumer": durable, "outcome": repr(outcome)}, exc_info=error)
        return outcome
    return Ack()


class _Burst:
    """Events that come while others are being handled wait for these, and then share one transaction."""

    def __init__(self, durable: str, handler: BurstHandler, pool: Pool) -> None:
        self._durable = durable
        self._handler = handler
        self._pool = pool
        self._waiting: list[tuple[Event[Any], asyncio.Future[Ack | None]]] = []
        self._leading = False

    async def handled(self, event: Event[Any]) -> Ack | None:
        """Ack once it is committed; None when that did not work: the event is then to be handled by itself."""
        future: asyncio.Future[Ack | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, future))
        if not self._leading:
            self._leading = True
            try:
                await asyncio.sleep(0)  # those that came with it are about to join
                while taken := self._waiting[:_BATCH]:
                    outcome = await self._commit([one for one, _ in taken])
                    del self._waiting[: len(taken)]
                    for _, waiter in taken:
                        if not waiter.done():
                            waiter.set_result(outcome)
            finally:
                self._leading = False
                while self._waiting:  # the service is ending: they are delivered again
                    self._waiting.pop()[1].cancel()
        return await future

    async def _commit(self, events: list[Event[Any]]) -> Ack | None:
        if len(events) == 1:
            return None
        try:
            async with transaction(self._pool) as tx:
                await inbox.once_each(tx, self._durable, events, lambda fresh: self._handler(tx, fresh))
        except Exception as error:  # noqa: BLE001 - whichever it was is found, and told of, when each is handled by itself
            log.debug("a burst of events failed", extra={"consumer": self._durable, "error": repr(error)})
            return None
        return Ack()


async def settle(raw: Any, outcome: Outcome, *, durable: str, jetstream: JetStreamContext) -> None:
    """Acknowledge, ask for redelivery, or move the message to the dead letters (and only then take it off the consumer)."""
    match outcome:
        case Ack():
            await raw.ack()
        case Retry(delay_s=delay_s):
            await raw.nak(delay=delay_s)
        case DeadLetter(reason=reason):
            try:
                await jetstream.publish(
                    f"dead.{durable}",
                    raw.data,
                    timeout=5,
                    headers={
                        "dead-reason": reason.replace("\n", " ")[:1000],
                        "dead-subject": raw.subject,
                        "dead-consumer": durable,
                        "dead-deliveries": str(raw.metadata.num_delivered),
                        "dead-at": datetime.now(UTC).isoformat(),
                    },
                )
            except (NatsError, TimeoutError):
                await raw.nak(delay=retry_delay_s(raw.metadata.num_delivered))
            else:
                await raw.term()
        case _:
            assert_never(outcome)


async def watch(broker: NatsBroker) -> None:
    """Keep the consumers alive: one whose stream or durable is gone is made anew.

    FastStream makes a consumer at start only, and a pull on a missing one stays silent. Runs until cancelled.
    """
    while True:
        await asyncio.sleep(_WATCH_EVERY_S)
        for subscriber in broker.subscribers:
            config = subscriber.config  # type: ignore[attr-defined]
            try:
                await broker.config.connection_state.stream.consumer_info(STREAM, subscriber.extra_options["durable"])  # type: ignore[attr-defined]
            except ConsumerMissingError:
                log.warning("consumer is gone: making it anew", extra={"consumer": str(config)})
                try:
                    await subscriber.stop()
                    await subscriber.start()
                except (NatsError, TimeoutError) as error:
                    log.warning("consumer could not be made", extra={"error": repr(error)})
            except (NatsError, TimeoutError) as error:
                log.debug("consumer not looked at", extra={"error": repr(error)})
                break
