"""The relay: publishes committed events from the outbox to the EVENTS stream, in order, at least once.

`Nats-Msg-Id` is the event's id, so JetStream drops a second copy within its duplicate window, and the consumers' inboxes
any later one. JetStream is delivery, not truth: when the stream was lost, or is shorter than it was (JetStream acknowledges
before fsync), what is missing is published again.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

import asyncpg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from modelyard_contracts import nats_subject
from modelyard_platform import database, outbox
from modelyard_platform.database import Connection

log = logging.getLogger(__name__)

STREAM: Final = "EVENTS"
BATCH: Final = 256
RETENTION: Final = "30 days"
"""As long as the stream keeps events, so long the outbox can fill it again."""

_CHECK_EVERY_S: Final = 5.0
_POLL_S: Final = 1.0
_PRUNE_EVERY_S: Final = 3600.0
_BACKOFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)

_TRY_LOCK: Final = "select pg_try_advisory_lock(hashtext('modelyard_relay' || current_schema()))"
_UNPUBLISHED: Final = """
select position, event_id, workspace, type, envelope from outbox where published_at is null order by position limit $1
"""
_MARK: Final = """
update outbox set published_at = now(), stream_sequence = done.sequence
from unnest($1::bigint[], $2::bigint[]) as done (position, sequence) where outbox.position = done.position
"""
_GET_STATE: Final = "select created_at, last_sequence from relay_state where stream = $1"
_PUT_STATE: Final = """
insert into relay_state (stream, created_at, last_sequence) values ($1, $2, $3)
on conflict (stream) do update set created_at = excluded.created_at, last_sequence = excluded.last_sequence
"""
_REPUBLISH_ALL: Final = """
update outbox set published_at = null, stream_sequence = null
where published_at is not null and created_at > now() - interval '30 days'
"""
_REPUBLISH_AFTER: Final = """
update outbox set published_at = null, stream_sequence = null where published_at is not null and stream_sequence > $1
"""
_PRUNE: Final = (
    "delete from outbox where published_at < now() - interval '30 days'",
    "delete from inbox where handled_at < now() - interval '60 days'",
    "delete from idempotency where created_at < now() - interval '2 days'",
)


class Relay:
    """Runs beside a service. Only one relay publishes for a schema at a time (advisory lock); the others stand by."""

    def __init__(self, dsn: str, jetstream: JetStreamContext, *, service: str) -> None:
        self._dsn = dsn
        self._jetstream = jetstream
        self._service = service
        self._wake = asyncio.Event()
        self._check_now = True

    def reconnected(self) -> None:
        """The broker connection came back: the stream may not be the one we knew."""
        self._check_now = True
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled. Lost connections are retried with a delay."""
        failures = 0
        while True:
            try:
                async for _ in self._sessions():
                    failures = 0
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, NatsError, TimeoutError) as error:
                delay = _BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)]
                failures += 1
                log.warning("relay waits", extra={"error": repr(error), "delay_s": delay})
                await asyncio.sleep(delay)

    async def _sessions(self) -> Any:
        """One database session; yields after every round that went well."""
        connection = await database.connect(self._dsn)
        try:
            while not await connection.fetchval(_TRY_LOCK):  # noqa: ASYNC110 - another process holds the lock
                await asyncio.sleep(_POLL_S)
            # A mark that a crash loses means that the event is published again, and dropped as the copy it is.
            await connection.execute("set synchronous_commit = off; set plan_cache_mode = force_generic_plan")
            schema = await connection.fetchval("select current_schema()")
            await connection.add_listener(outbox.CHANNEL + schema, lambda *_: self._wake.set())
            loop = asyncio.get_running_loop()
            checked = pruned = -_PRUNE_EVERY_S
            while True:
                self._wake.clear()
                now = loop.time()
                if self._check_now or now - checked > _CHECK_EVERY_S:
                    self._check_now = False
                    await self._check_stream(connection)
                    checked = now
                if now - pruned > _PRUNE_EVERY_S:
                    for statement in _PRUNE:
                        await connection.execute(statement)
                    pruned = now
                published = await self._publish_batch(connection)
                yield published
                if published < BATCH:
                    with suppress(TimeoutError):  # not wait_for: in Python 3.11 it may swallow a cancellation
                        async with asyncio.timeout(_POLL_S):
                            await self._wake.wait()
        finally:
            with suppress(Exception):
                await connection.close(timeout=2)

    async def _publish_batch(self, connection: Connection) -> int:
        rows = await connection.fetch(_UNPUBLISHED, BATCH)
        if not rows:
            return 0
        # Tasks start in order and write to one connection, so the stream has the outbox's order; the acknowledgements are awaited together.
        acks = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
        done = [
            (row["position"], ack.seq)
            for row, ack in zip(rows, acks, strict=True)
            if not isinstance(ack, BaseException)
        ]
        if done:
            await connection.execute(_MARK, [position for position, _ in done], [sequence for _, sequence in done])
        for ack in acks:
            if isinstance(ack, BaseException):
                raise ack
        return len(rows)

    async def _publish(self, row: asyncpg.Record) -> Any:
        return await self._jetstream.publish(
            nats_subject(row["workspace"], row["type"]),
            row["envelope"].encode(),
            timeout=5,
            stream=STREAM,
            headers={"Nats-Msg-Id": str(row["event_id"])},
        )

    async def _check_stream(self, connection: Connection) -> None:
        info = await self._jetstream.stream_info(STREAM)
        created, last = info.created, info.state.last_seq
        known = await connection.fetchrow(_GET_STATE, STREAM)
        async with connection.transaction():
            if known is not None and known["created_at"] != created:
                again = await connection.execute(_REPUBLISH_ALL)
                log.warning("the stream is another one: publishing again", extra={"rows": again})
            elif known is not None and last < known["last_sequence"]:
                again = await connection.execute(_REPUBLISH_AFTER, last)
                log.warning("the stream has lost its end: publishing again", extra={"rows": again, "after": last})
            await connection.execute(_PUT_STATE, STREAM, created, last)
