"""Follows the bucket `routes`, through reconnects of NATS and loss of the bucket.

Nothing is withdrawn merely because NATS or the bucket went away: an entry goes when it is deleted, or when it is
missing from the same bucket that had it. A bucket that was made anew is filled again by serving and the replicas;
what it still lacks after a time of grace is removed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.kv import KeyValue

from edge.domain.routes import RefusedEntryError, RouteTable

log = logging.getLogger(__name__)

BUCKET: Final = "routes"
CHECK_S: Final = 2.0
"""How often it is checked that the watch has seen what the bucket has: a watch may go silent after a reconnect."""
GRACE_S: Final = 60.0
_AWAY: Final = (NatsError, OSError, TimeoutError)


class Routes:
    """Keeps `table` like the bucket and calls `changed` after each change.

    `origin` tells one bucket from another of the same name (None: none seen).
    """

    def __init__(
        self, table: RouteTable, origin: str | None, changed: Callable[[], None], *, grace_s: float = GRACE_S
    ) -> None:
        self.table = table
        self.origin = origin
        self.complete = origin is not None
        self.connected: Callable[[], bool] = lambda: False
        self.refused: dict[str, str] = {}
        self._changed = changed
        self._grace_s = grace_s
        self._missing: dict[str, float] = {}  # key → when it may go

    async def follow(self, nats_url: str) -> None:
        """Runs until cancelled."""

        async def noted(error: Exception) -> None:
            log.debug("NATS: %s", error)

        connection = await nats.connect(
            nats_url, name="edge", max_reconnect_attempts=-1, reconnect_time_wait=0.5, connect_timeout=2, error_cb=noted
        )
        self.connected = lambda: connection.is_connected
        reason = ""
        try:
            while True:
                try:
                    await self._watch(connection)
                    reason = ""
                except _AWAY as error:
                    if reason != (reason := str(error) or type(error).__name__):
                        log.warning("routes cannot be followed, the last table stays: %s", reason)
                self._remove_overdue()
                await asyncio.sleep(0.5)
        finally:
            await connection.close()

    async def _watch(self, connection: Client) -> None:
        """One watch, from its snapshot until it no longer shows what the bucket has."""
        stream = connection.jetstream(timeout=CHECK_S)
        bucket = await stream.key_value(BUCKET)
        info = await stream.stream_info(f"KV_{BUCKET}")
        origin, seen_to = str(info.created), info.state.last_seq
        watcher = await bucket.watchall()
        snapshot: set[str] | None = set()
        try:
            while True:
                try:
                    entry = await watcher.updates(timeout=CHECK_S)  # type: ignore[no-untyped-call] # nats-py's own
                except NatsTimeoutError:
                    info = await stream.stream_info(f"KV_{BUCKET}")
                    if str(info.created) != origin or info.state.last_seq > seen_to:
                        return
                    self._remove_overdue()
                    continue
                if entry is None:
                    if snapshot is not None:
                        self._settle(origin, snapshot)
                    snapshot = None
                    continue
                seen_to = max(seen_to, entry.revision or 0)
                self._take(entry)
                if snapshot is not None:
                    snapshot.add(entry.key)
        finally:
            await watcher.stop()  # type: ignore[no-untyped-call] # nats-py's own

    def _take(self, entry: KeyValue.Entry) -> None:
        self._missing.pop(entry.key, None)
        if entry.operation is not None:
            self.refused.pop(entry.key, None)
            self.table.remove(entry.key)
        else:
            try:
                self.table.put(entry.key, entry.value or b"")
                self.refused.pop(entry.key, None)
            except RefusedEntryError as error:
                self.refused[entry.key] = str(error)
                log.error("an entry of the bucket is refused, the one before it stays: %s", error)  # noqa: TRY400 the text says it all
        self._changed()

    def _settle(self, origin: str, snapshot: set[str]) -> None:
        """After a snapshot: what the table has and the bucket has not was deleted while nobody looked, or is yet to
        come back."""
        gone = self.table.keys() - snapshot
        if self.origin in (None, origin):
            for key in gone:
                self.table.remove(key)
        else:
            until = monotonic() + self._grace_s
            self._missing = {key: self._missing.get(key, until) for key in gone}
        self.origin = origin
        self.complete = True
        self._changed()

    def _remove_overdue(self) -> None:
        overdue = [key for key, until in self._missing.items() if monotonic() >= until]
        for key in overdue:
            log.warning("%s did not come back after the bucket was lost: removed", key)
            del self._missing[key]
            self.table.remove(key)
        if overdue:
            self._changed()
