"""Wakes the workers of every scheduler process when work for them was committed (PostgreSQL LISTEN)."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from typing import Any, Final

import asyncpg

from modelyard_platform import database

log = logging.getLogger(__name__)

_RECONNECT_S: Final = 1.0
_CLOSE_S: Final = 2


class Bell:
    """The payload of a notification names the worker. A ring that is missed costs no more than the worker's own pause."""

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._rung: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made again."""
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("the bell is silent", extra={"error": repr(error)})
            await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        connection = await database.connect(self._dsn)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(self._channel, self._ring)
            await lost.wait()
        finally:
            with suppress(Exception):
                await connection.close(timeout=_CLOSE_S)

    def _ring(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._rung[str(payload)].set()

    async def wait(self, worker: str, timeout_s: float) -> None:
        """Until the bell rings for `worker`, at most `timeout_s`."""
        event = self._rung[worker]
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):  # not wait_for: it may swallow a cancellation (Python 3.11)
                await event.wait()
        event.clear()
