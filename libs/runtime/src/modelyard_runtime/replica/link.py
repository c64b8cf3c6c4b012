"""The replica's line to NATS, on a thread of its own: announces the replica to the edges and ships collected rows.

Nothing waits for it: when NATS is away the replica starts, scores and stops all the same, and is announced again when
NATS is back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import nats
import orjson
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError

from modelyard_runtime.replica.collector import Collector, Entry, arrow_batch, halves
from modelyard_runtime.replica.signature import Signature

log = logging.getLogger(__name__)

BUCKET: Final = "routes"
LOOK_S: Final = 2.0
"""How often the announcement is looked at: a lost bucket is mended within this and the time NATS takes to come back."""
SHIP_S: Final = 0.5
TRIES: Final = 3
_AWAY: Final = (NatsError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Announcement:
    """The replica's entry in the bucket `routes`."""

    key: str
    host: str
    port: int
    generation: int
    pid: int

    @property
    def value(self) -> bytes:
        return orjson.dumps({"host": self.host, "port": self.port, "generation": self.generation, "pid": self.pid})


@dataclass(frozen=True, slots=True)
class Shipment:
    """What is shipped, and where to. `message_prefix` makes message ids unique to this replica."""

    collector: Collector
    signature: Signature
    subject: str
    model: str
    message_prefix: str


class Link:
    """The thread, its loop and the connection."""

    def __init__(
        self, nats_url: str, announcement: Announcement, shipment: Shipment | None, say: Callable[[str], None]
    ) -> None:
        self._url = nats_url
        self._announcement = announcement
        self._shipment = shipment
        self._say = say
        self._announced = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="replica-link", daemon=True)
        self._connection: Client | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sequence = 0
        self._closing = False

    def start(self, wait_s: float) -> bool:
        """Starts, and waits up to `wait_s` seconds for the announcement to be in the bucket. Returns whether it is."""
        self._thread.start()
        self._submit(self._open())
        return self._announced.wait(wait_s)

    def withdraw(self, timeout_s: float) -> bool:
        """Takes the announcement back; returns whether NATS has confirmed it within `timeout_s` seconds."""
        self._closing = True
        try:
            return bool(self._submit(self._delete()).result(timeout_s))
        except TimeoutError:
            return False

    def stop(self, timeout_s: float) -> None:
        """Ships what is left if NATS is there, and ends the thread."""
        with suppress(TimeoutError):
            self._submit(self._close()).result(timeout_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            self._loop.close()

    def _submit(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> None:
        self._tasks = [asyncio.create_task(self._run())]

    async def _run(self) -> None:
        async def noted(error: Exception) -> None:
            log.debug("NATS: %s", error)

        self._connection = await nats.connect(
            self._url,
            name=self._announcement.key,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,
            connect_timeout=2,
            error_cb=noted,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_announced(self._connection))
            if self._shipment is not None:
                tasks.create_task(self._keep_shipping(self._connection, self._shipment))

    async def _keep_announced(self, connection: Client) -> None:
        """Looks again and again whether the entry is as it should be; that covers a lost connection, a lost bucket
        and a lost entry alike."""
        state = ""
        while not self._closing:
            try:
                bucket = await connection.jetstream(timeout=2).key_value(BUCKET)
                try:
                    there = (await bucket.get(self._announcement.key)).value == self._announcement.value
                except KeyNotFoundError:
                    there = False
                if not there and not self._closing:
                    await bucket.put(self._announcement.key, self._announcement.value)
                    self._say(f"announced at {self._announcement.host}:{self._announcement.port}")
                self._announced.set()
                state = ""
            except _AWAY as error:
                if str(error) != state:
                    state = str(error)
                    self._say(f"not announced, will try again: {error or type(error).__name__}")
            await asyncio.sleep(LOOK_S if self._announced.is_set() else LOOK_S / 4)

    async def _delete(self) -> bool:
        if self._connection is None or not self._connection.is_connected:
            return False
        try:
            bucket = await self._connection.jetstream(timeout=2).key_value(BUCKET)
            await bucket.delete(self._announcement.key)
        except _AWAY as error:
            self._say(f"not withdrawn: {error or type(error).__name__}")
            return False
        return True

    async def _keep_shipping(self, connection: Client, shipment: Shipment) -> None:
        while True:
            await asyncio.sleep(SHIP_S)
            if connection.is_connected:
                await self._ship_all(connection, shipment)

    async def _ship_all(self, connection: Client, shipment: Shipment) -> None:
        while entries := shipment.collector.take():
            await self._ship(connection, shipment, entries)

    async def _ship(self, connection: Client, shipment: Shipment, entries: list[Entry]) -> None:
        """Publishes one batch, halved while it is larger than NATS takes. After a few tries it is counted as lost."""
        rows = sum(entry[4] for entry in entries)
        payload = arrow_batch(entries, shipment.signature)
        if len(payload) > connection.max_payload - 1024:  # 1 KiB for the headers
            if rows == 1:
                shipment.collector.lost += 1
                self._say(f"a row of {len(payload)} bytes is larger than a message may be: not collected")
                return
            for half in halves(entries):
                await self._ship(connection, shipment, half)
            return
        self._sequence += 1
        headers = {"Nats-Msg-Id": f"{shipment.message_prefix}-{self._sequence}", "model": shipment.model}
        for attempt in range(TRIES):
            try:
                await connection.jetstream(timeout=2).publish(shipment.subject, payload, headers=headers)
            except _AWAY as error:
                log.debug("batch not shipped: %s", error)
                await asyncio.sleep(0.2 * 2**attempt)
            else:
                return
        shipment.collector.lost += rows

    async def _close(self) -> None:
        connection = self._connection
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        if connection is not None:
            if connection.is_connected and self._shipment is not None:
                await self._ship_all(connection, self._shipment)
            await connection.close()
