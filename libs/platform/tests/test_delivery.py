"""The event guarantees: with the change or not at all, at least once on the wire, exactly once in effect, never lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from faststream.nats import NatsBroker
from nats.js import JetStreamContext

from modelyard.stack.provision import create_streams
from modelyard_contracts import Event, decode
from modelyard_contracts.registry import ModelRegistered
from modelyard_platform import dead_letters, inbox, outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection, Pool, connect, create_pool, transaction
from modelyard_platform.errors import InvalidError, NotFoundError
from modelyard_platform.relay import Relay
from modelyard_platform.service import background
from modelyard_platform.subscribers import DeadLetter, Retry, Subscribers, outcome_of, retry_delay_s, watch
from modelyard_testing.conditions import eventually

CAUSE = Cause(actor="user:ada", correlation_id="story-1", causation_id="an-earlier-event", reason="a test")


class Bench:
    """One service's delivery, part by part."""

    def __init__(self, dsn: str, pool: Pool, broker: NatsBroker) -> None:
        self.dsn, self.pool, self.broker = dsn, pool, broker
        self.subscribers = Subscribers("bench")

    @property
    def jetstream(self) -> JetStreamContext:
        stream: JetStreamContext = self.broker.config.connection_state.stream
        return stream

    def relay(self) -> Any:
        return background(Relay(self.dsn, self.jetstream, service="bench").run())

    async def start(self) -> None:
        self.subscribers.attach(self.broker, self.pool)
        await self.broker.start()

    async def change(self, version: str) -> Event[Any]:
        async with transaction(self.pool) as tx:
            return await outbox.add(tx, "registry", ModelRegistered(name="m", version=version), CAUSE)

    async def effects(self) -> list[str]:
        rows = await self.pool.fetch("select version from effects order by position")
        return [row["version"] for row in rows]

    async def handled(self, count: int) -> None:
        async def enough() -> bool:
            return len(await self.effects()) >= count

        await eventually(enough)

    async def published(self, count: int) -> None:
        async def enough() -> bool:
            return (await self.jetstream.stream_info("EVENTS")).state.messages == count

        await eventually(enough)


@pytest.fixture
async def bench(database: str, nats_url: str) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        pool = await create_pool(database, service="bench")
        stack.push_async_callback(pool.close)
        await pool.execute("create table effects (position bigint generated always as identity, version text)")
        broker = NatsBroker(nats_url, logger=None, apply_types=False)
        stack.push_async_callback(broker.stop)
        yield Bench(database, pool, broker)


def counting(bench: Bench) -> None:
    @bench.subscribers.on(ModelRegistered)
    async def on_model_registered(tx: Connection, event: Event[ModelRegistered]) -> None:
        await tx.execute("insert into effects (version) values ($1)", event.data.version)


async def test_an_event_goes_with_its_change_or_not_at_all(bench: Bench) -> None:
    await bench.start()

    async def fail() -> None:
        async with transaction(bench.pool) as tx:
            await outbox.add(tx, "registry", ModelRegistered(name="m", version="1"), CAUSE)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    committed = await bench.change("2")
    async with bench.relay():
        await bench.published(1)
    message = await bench.jetstream.get_msg("EVENTS", 1)
    assert message.headers is not None
    assert message.headers["Nats-Msg-Id"] == str(committed.id)
    event = decode(message.data or b"")
    assert event.data == ModelRegistered(name="m", version="2")
    assert (event.actor, event.correlationid, event.causationid, event.reason) == (
        "user:ada",
        "story-1",
        "an-earlier-event",
        "a test",
    )


async def test_what_was_committed_before_a_crash_is_published_after_it(bench: Bench) -> None:
    await bench.start()
    for version in range(300):  # no relay runs: as if the process had died right after each commit
        await bench.change(str(version))
    async with bench.relay():
        await bench.published(300)
    assert await bench.pool.fetchval("select count(*) from outbox where published_at is null") == 0


async def test_two_relays_publish_each_event_once(bench: Bench) -> None:
    await bench.start()
    async with bench.relay(), bench.relay():
        await asyncio.gather(*(bench.change(str(version)) for version in range(50)))
        await bench.published(50)


async def test_an_event_wakes_the_relay_of_its_schema_only(bench: Bench) -> None:
    connection = await connect(bench.dsn)
    mine, told = await connection.fetchval("select current_schema()"), list[str]()
    for schema in (mine, "another"):
        await connection.add_listener(outbox.CHANNEL + schema, lambda *heard: told.append(heard[2]))
    await bench.change("1")

    async def heard() -> bool:
        return bool(told)

    await eventually(heard)
    await connection.close()
    assert told == [outbox.CHANNEL + mine]


async def test_one_subjects_events_are_numbered_without_a_gap(bench: Bench) -> None:
    events = await asyncio.gather(*(bench.change("1") for _ in range(20)))
    assert sorted(event.sequence for event in events) == list(range(1, 21))


async def test_a_redelivery_has_no_second_effect(bench: Bench) -> None:
    counting(bench)
    await bench.start()
    event = await bench.change("1")
    async with bench.relay():
        await bench.handled(1)
        envelope = await bench.pool.fetchval("select envelope from outbox where event_id = $1", event.id)
        await bench.jetstream.publish(
            "modelyard.default.model.registered", envelope.encode()
        )  # a copy with no message id
        await bench.change("2")
        await bench.handled(2)
    assert await bench.effects() == ["1", "2"]


async def test_two_deliveries_at_the_same_time_have_one_effect(bench: Bench) -> None:
    event = await bench.change("1")
    both_inside = asyncio.Barrier(2)

    async def deliver() -> bool:
        async def effect() -> None:
            await both_inside.wait()
            await tx.execute("insert into effects (version) values ('1')")

        try:
            async with transaction(bench.pool) as tx:
                await inbox.once(tx, "bench", event.id, effect)
        except inbox.HandledMeanwhileError:
            return False
        return True

    assert sorted(await asyncio.gather(deliver(), deliver())) == [False, True]
    assert await bench.effects() == ["1"]


async def test_an_event_without_effect_leaves_no_entry(bench: Bench) -> None:
    event = await bench.change("1")

    async def nothing() -> None:
        await bench.pool.fetchval("select 1")

    async with transaction(bench.pool) as tx:
        await inbox.once(tx, "bench", event.id, nothing)
    assert await bench.pool.fetchval("select count(*) from inbox") == 0


async def test_an_unknown_error_is_retried_and_its_transaction_rolled_back(bench: Bench) -> None:
    attempts = 0

    @bench.subscribers.on(ModelRegistered)
    async def on_model_registered(tx: Connection, event: Event[ModelRegistered]) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute("insert into effects (version) values ('rolled back if it fails')")
        if attempts < 3:
            raise RuntimeError("not yet")
        await tx.execute("insert into effects (version) values ($1)", event.data.version)

    await bench.start()
    await bench.change("1")
    async with bench.relay():
        await bench.handled(1)
    assert attempts == 3
    assert await bench.effects() == ["rolled back if it fails", "1"]


async def test_a_known_bad_message_is_kept_with_its_reason_and_can_be_replayed(bench: Bench) -> None:
    mended = False

    @bench.subscribers.on(ModelRegistered)
    async def on_model_registered(tx: Connection, event: Event[ModelRegistered]) -> None:
        if not mended:
            raise InvalidError("this model has no files")
        await tx.execute("insert into effects (version) values ($1)", event.data.version)

    await bench.start()
    await bench.change("1")

    async def letters() -> list[dead_letters.Letter]:
        return await dead_letters.newest(bench.jetstream)

    async with bench.relay():
        [letter] = await eventually(letters)
        assert letter.consumer == "bench-model-registered"
        assert letter.reason == "invalid: this model has no files"
        assert letter.subject == "modelyard.default.model.registered"
        mended = True
        await dead_letters.replay(bench.jetstream, letter.sequence)
        await bench.handled(1)
    assert await bench.effects() == ["1"]
    assert await letters() == []


async def test_a_message_that_is_no_event_is_a_dead_letter(bench: Bench) -> None:
    counting(bench)
    await bench.start()
    await bench.jetstream.publish("modelyard.default.model.registered", b"{]")

    async def letters() -> list[dead_letters.Letter]:
        return await dead_letters.newest(bench.jetstream)

    [letter] = await eventually(letters)
    assert letter.reason.startswith("not understood")
    assert letter.body == "{]"


async def test_a_lost_stream_is_filled_again_and_nothing_happens_twice(bench: Bench, nats_url: str) -> None:
    counting(bench)
    await bench.start()
    async with bench.relay(), background(watch(bench.broker)):
        for version in ("1", "2"):
            await bench.change(version)
        await bench.handled(2)
        await bench.jetstream.delete_stream("EVENTS")
        await create_streams(nats_url)
        await bench.change("3")
        await bench.published(3)
        await bench.handled(3)
    assert sorted(await bench.effects()) == ["1", "2", "3"]


async def test_a_stream_that_lost_its_end_gets_it_again(bench: Bench) -> None:
    await bench.start()
    for version in range(3):
        await bench.change(str(version))

    async def noted() -> bool:
        """The relay has written down its acknowledgements and what the stream looks like: both, or the next relay starts from neither."""
        marked = await bench.pool.fetchval("select count(*) from outbox where stream_sequence is not null")
        return bool(marked == 3 and await bench.pool.fetchval("select last_sequence >= 3 from relay_state"))

    async with bench.relay():
        await eventually(noted)
    # As after a power failure: the stream is where it was after its first message, though it had acknowledged more.
    await bench.pool.execute("update relay_state set last_sequence = 3 + 2")
    await bench.pool.execute("update outbox set stream_sequence = stream_sequence + 2 where stream_sequence > 1")
    await bench.jetstream.purge_stream("EVENTS")
    async with bench.relay():
        await eventually(lambda: _published_again(bench))


async def _published_again(bench: Bench) -> bool:
    rows = await bench.pool.fetch("select stream_sequence from outbox where published_at is not null order by position")
    return len(rows) == 3 and rows[2]["stream_sequence"] > 3


def test_the_fate_of_failures() -> None:
    assert isinstance(outcome_of(InvalidError("bad"), 1), DeadLetter)
    assert outcome_of(NotFoundError("not yet there"), 1) == Retry(0.5, repr(NotFoundError("not yet there")))
    assert isinstance(outcome_of(OSError("down"), 39), Retry)
    assert isinstance(outcome_of(OSError("down"), 40), DeadLetter)
    assert [retry_delay_s(n) for n in (1, 2, 7, 40)] == [0.5, 1.0, 60.0, 60.0]
