"""One handler for every event, each once, but for the excepted types."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from faststream.nats import NatsBroker
from nats.js.api import ConsumerInfo

from modelyard_contracts import Event, EventData
from modelyard_contracts.notifier import AlertFired
from modelyard_contracts.registry import DataRegistered, ModelRegistered
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, create_pool, transaction
from modelyard_platform.errors import InvalidError
from modelyard_platform.relay import Relay
from modelyard_platform.service import background
from modelyard_platform.subscribers import Subscribers
from modelyard_testing.conditions import eventually

CAUSE = Cause(actor="user:tester", correlation_id="c1")


async def caught_up(broker: NatsBroker, durable: str) -> ConsumerInfo:
    """The consumer once it has nothing left to deliver and nothing unacknowledged."""
    jetstream = broker.config.connection_state.stream
    async with asyncio.timeout(20):
        while True:
            info: ConsumerInfo = await jetstream.consumer_info("EVENTS", durable)
            last = (await jetstream.stream_info("EVENTS")).state.last_seq
            if last and info.ack_floor and info.ack_floor.stream_seq == last:
                return info
            await asyncio.sleep(0.05)


async def test_every_event_once_but_for_the_excepted(database: str, nats_url: str) -> None:
    pool = await create_pool(database, service="watcher")
    broker = NatsBroker(nats_url, logger=None, apply_types=False)
    seen: list[tuple[str, str]] = []
    ids: list[UUID] = []
    subscribers = Subscribers("watcher")

    @subscribers.on_any(except_=("alert.*",))
    async def on_event(tx: Connection, events: Sequence[Event[EventData]]) -> None:
        await tx.execute("select pg_current_xact_id()")  # an effect, as far as PostgreSQL can tell
        seen.extend((event.type, event.subject) for event in events)
        ids.extend(event.id for event in events)

    subscribers.attach(broker, pool)
    await broker.start()
    try:
        published: list[EventData] = [
            ModelRegistered(name="m", version="1"),
            AlertFired(subscription="s", delivery="d", event="e", event_type="model.registered"),
            DataRegistered(name="d", version="1"),
            ModelRegistered(name="m", version="2"),
        ]
        async with transaction(pool) as tx:
            for data in published:
                await outbox.add(tx, "registry", data, CAUSE)
        async with background(Relay(database, broker.config.connection_state.stream, service="watcher").run()):
            info = await caught_up(broker, "watcher-all")
        assert sorted(seen) == [
            ("modelyard.data.registered.v1", "data/d/versions/1"),
            ("modelyard.model.registered.v1", "models/m/versions/1"),
            ("modelyard.model.registered.v1", "models/m/versions/2"),
        ]
        assert info.config.filter_subject == "modelyard.>"

        # The same event under another message id is a second delivery: the inbox knows it.
        envelope = await pool.fetchval("select envelope from outbox where event_id = $1", ids[0])
        jetstream = broker.config.connection_state.stream
        await jetstream.publish(
            "modelyard.default.model.registered", envelope.encode(), headers={"Nats-Msg-Id": "again"}
        )
        await caught_up(broker, "watcher-all")
        assert len(seen) == 3
    finally:
        await broker.stop()
        await pool.close()


async def kept_of(database: str, nats_url: str, names: list[str], *, bad: str = "") -> tuple[list[str], int, int]:
    """What a handler that keeps every event but `bad` has kept, in how many transactions; and the number of dead letters."""
    pool = await create_pool(database, service="watcher")
    broker = NatsBroker(nats_url, logger=None, apply_types=False)
    subscribers = Subscribers("keeper")

    @subscribers.on_any()
    async def on_event(tx: Connection, events: Sequence[Event[ModelRegistered]]) -> None:
        for event in events:
            await tx.execute("insert into kept values ($1, pg_current_xact_id()::text)", event.data.name)
            if event.data.name == bad:
                raise InvalidError("this one cannot be kept")

    subscribers.attach(broker, pool)
    try:
        await pool.execute("create table kept (name text, transaction text)")
        async with transaction(pool) as tx:
            for name in names:
                await outbox.add(tx, "registry", ModelRegistered(name=name, version="1"), CAUSE)
        await broker.connect()
        jetstream = broker.config.connection_state.stream
        async with background(Relay(database, jetstream, service="watcher").run()):

            async def all_published() -> bool:
                return bool((await jetstream.stream_info("EVENTS")).state.messages >= len(names))

            await eventually(all_published)
            await broker.start()
            await caught_up(broker, "keeper-all")
        rows = await pool.fetch("select * from kept order by name")
        dead = (await jetstream.stream_info("DEAD")).state.messages
        return [row["name"] for row in rows], len({row["transaction"] for row in rows}), dead
    finally:
        await broker.stop()
        await pool.close()


async def test_events_that_come_together_share_a_transaction(database: str, nats_url: str) -> None:
    names = [f"m{number:03}" for number in range(100)]
    kept, transactions, dead = await kept_of(database, nats_url, names)
    assert kept == names
    assert transactions <= 10
    assert dead == 0


async def test_one_that_fails_takes_no_other_with_it(database: str, nats_url: str) -> None:
    names = [f"m{number:03}" for number in range(100)]
    kept, _, dead = await kept_of(database, nats_url, names, bad="m050")
    assert kept == [name for name in names if name != "m050"]
    assert dead == 1
