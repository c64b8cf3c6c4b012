"""How soon an event that was committed reaches somebody outside: by the gateway's live stream, and by NATS itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import httpx
import nats
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig, DeliverPolicy

from modelyard.stack import parts
from modelyard_contracts.registry import ModelUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, create_pool, transaction
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.latency import percentile
from tests.benchmarks.rows import Row, at_most
from tests.benchmarks.stack import Stack

NAMES: Final = ("event_p99_ms",)

_GOAL_MS: Final = 50.0
_PER_SECOND: Final = 200
_LEAST: Final = 0.95
_WARM_UP_S: Final = 2
_SECONDS: Final = 15
_ARRIVAL_S: Final = 15.0
_CONNECT_S: Final = 10.0
_SUBJECTS: Final = 50
"""Events go round so many models: those of one subject wait for each other's commit."""


class EventsLostError(Exception):
    """What was committed did not arrive, or could not be committed at the rate that was asked for."""


def rows(bench: Bench) -> Sequence[Row]:
    """200 events/s, each in a transaction of its own in the registry's schema, with its role, as its use cases write them."""
    stack = bench.stack()
    tell(f"{_PER_SECOND} events/s for {_SECONDS} s")
    committed, by_stream, by_nats = asyncio.run(_measure(stack))
    streamed, published = _latencies_ms(committed, by_stream), _latencies_ms(committed, by_nats)
    return [
        at_most(_GOAL_MS, "event_p99_ms", percentile(streamed, 99), "ms"),
        Row(name="event_p50_ms", value=percentile(streamed, 50), unit="ms"),
        Row(name="event_nats_p99_ms", value=percentile(published, 99), unit="ms"),
        Row(name="event_nats_p50_ms", value=percentile(published, 50), unit="ms"),
    ]


Times = dict[str, float]
"""Event id → time in seconds (monotonic clock)."""


def _latencies_ms(committed: Times, received: Times) -> list[float]:
    return sorted((received[event] - at) * 1e3 for event, at in committed.items())


async def _measure(stack: Stack) -> tuple[Times, Times, Times]:
    """When each event was committed (its COMMIT sent), and when it was received by either way. The warm-up's are left out."""
    by_stream: Times = {}
    by_nats: Times = {}
    dsn = parts.postgres_dsn(stack.layout, "registry")
    async with (
        await create_pool(dsn, service="benchmark") as pool,
        _live_stream(stack, by_stream),
        _nats(stack, by_nats),
    ):
        warm_up, _ = await _commit(pool, _WARM_UP_S)
        await _arrived(warm_up, by_stream, by_nats)
        committed, rate = await _commit(pool, _SECONDS)
        await _arrived(committed, by_stream, by_nats)
    if rate < _LEAST * _PER_SECOND:
        raise EventsLostError(f"the database took {rate:.0f} commits/s instead of {_PER_SECOND}")
    return committed, by_stream, by_nats


async def _commit(pool: Pool, seconds: int) -> tuple[Times, float]:
    """Commit at the fixed rate, whatever the latency; gives the rate that came of it too."""
    committed: Times = {}
    cause = Cause(actor="service:benchmark", correlation_id=uuid4().hex)

    async def commit(number: int) -> None:
        data = ModelUpdated(name=f"benchmark-{number % _SUBJECTS}", version="1", changed={"number": number})
        async with transaction(pool) as tx:
            event = await outbox.add(tx, "registry", data, cause)
            committed[str(event.id)] = time.monotonic()

    began = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(seconds * _PER_SECOND):
                await asyncio.sleep(began + number / _PER_SECOND - time.monotonic())
                group.create_task(commit(number))
    except ExceptionGroup as failed:
        reason = f"the database does not take {_PER_SECOND} commits/s: {failed.exceptions[0]!r}"
        raise EventsLostError(reason) from failed
    took_s = time.monotonic() - began
    return committed, len(committed) / took_s


async def _arrived(committed: Times, *received: Times) -> None:
    """Wait until all of it was received by every way."""
    deadline = time.monotonic() + _ARRIVAL_S
    while missing := [len(committed.keys() - times.keys()) for times in received if committed.keys() - times.keys()]:
        if time.monotonic() > deadline:
            raise EventsLostError(f"{missing} of {len(committed)} events did not arrive within {_ARRIVAL_S:g} s")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def _live_stream(stack: Stack, received: Times) -> AsyncIterator[None]:
    """Follow the gateway's live stream as anybody outside would: through the edge, with a token."""
    timeout = httpx.Timeout(_CONNECT_S, read=60.0)
    headers = {"Authorization": f"Bearer {stack.token}"}
    async with (
        httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=timeout, trust_env=False) as client,
        client.stream("GET", "/api/v1/events/stream", params={"type": ModelUpdated.TYPE}) as answer,
    ):
        answer.raise_for_status()
        lines = answer.aiter_lines()
        async with asyncio.timeout(_CONNECT_S):
            await anext(lines)  # the stream's greeting: it is subscribed

        async def follow() -> None:
            async for line in lines:
                if line.startswith("data:"):
                    now = time.monotonic()
                    received[json.loads(line[5:])["id"]] = now

        follower = asyncio.create_task(follow())
        try:
            yield
        finally:
            follower.cancel()
            await asyncio.wait({follower})


@asynccontextmanager
async def _nats(stack: Stack, received: Times) -> AsyncIterator[None]:
    """Follow the stream EVENTS by an ordered consumer."""
    connection = await nats.connect(parts.nats_url(stack.layout), connect_timeout=5, allow_reconnect=False)
    try:

        async def keep(message: Msg) -> None:
            now = time.monotonic()
            received[json.loads(message.data)["id"]] = now

        await connection.jetstream().subscribe(
            f"modelyard.*.{ModelUpdated.TYPE}",
            cb=keep,
            ordered_consumer=True,
            config=ConsumerConfig(deliver_policy=DeliverPolicy.NEW),
        )
        yield
    finally:
        await connection.close()
