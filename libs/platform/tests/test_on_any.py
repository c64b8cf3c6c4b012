"""One handler for every event, each once, but for the excepted types."""

import asyncio
from uuid import UUID

from faststream.nats import NatsBroker
from nats.js.api import ConsumerInfo

from modelyard_contracts import Event, EventData
from modelyard_contracts.notifier import AlertFired
from modelyard_contracts.registry import DataRegistered, ModelRegistered
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, create_pool, transaction
from modelyard_platform.relay import Relay
from modelyard_platform.service import background
from modelyard_platform.subscribers import Subscribers

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
    broker = NatsBroker(nats_url, logger=None)
    seen: list[tuple[str, str]] = []
    ids: list[UUID] = []
    subscribers = Subscribers("watcher")

    @subscribers.on_any(except_=("alert.*",))
    async def on_event(tx: Connection, event: Event[EventData]) -> None:
        await tx.execute("select pg_current_xact_id()")  # an effect, as far as PostgreSQL can tell
        seen.append((event.type, event.subject))
        ids.append(event.id)

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
