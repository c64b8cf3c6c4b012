"""A step's output: all of it into a file, and live to the LOGS stream as far as NATS keeps up."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from nats.aio.client import Client
from nats.errors import Error as NatsError

from modelyard_contracts.work import StepOrder
from modelyard_runtime.runner.command import Stream

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 64 * 1024
EVERY_S: Final = 0.5
BUFFER_BYTES: Final = 4 << 20
FILE_BYTES: Final = 256 << 20
TAIL_LINES: Final = 50
TAIL_BYTES: Final = 16 * 1024
_FLUSH_S: Final = 3.0
_PUBLISH_S: Final = 5.0


def subject(order: StepOrder) -> str:
    """Where a step's lines are published. Names become tokens: what NATS would read as a separator or wildcard is replaced."""
    unsafe = str.maketrans({".": "_", "*": "_", ">": "_", " ": "_"})
    return f"logs.{order.workspace}.{order.job.translate(unsafe)}.{order.step.translate(unsafe)}"


class StepLog:
    """Takes output as it comes and never waits: the file holds everything up to `FILE_BYTES`, the live buffer the last `BUFFER_BYTES`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._written = 0
        self._waiting: deque[tuple[Stream, bytes]] = deque()
        self._waiting_bytes = 0
        self._partial: dict[Stream, bytes] = {"stdout": b"", "stderr": b""}
        self._skipped = 0

    def write(self, stream: Stream, data: bytes) -> None:
        """Take some output of the step."""
        self._to_file(data)
        lines, newline, rest = (self._partial[stream] + data).rpartition(b"\n")
        self._partial[stream] = rest
        self._enqueue(stream, lines + newline)
        if len(rest) >= CHUNK_BYTES:  # a line longer than a message: it goes in pieces
            self.complete()

    def note(self, line: str) -> None:
        """A line of the platform's own, such as why the step could not start."""
        self.write("stderr", f"[modelyard] {line}\n".encode())

    def complete(self) -> None:
        """Let the last line go live although it has no end."""
        for stream, rest in self._partial.items():
            self._enqueue(stream, rest)
            self._partial[stream] = b""

    def close(self) -> None:
        """No more output will come."""
        self.complete()
        self._file.close()

    def tail(self) -> str:
        """The last `TAIL_LINES` lines, at most `TAIL_BYTES`."""
        if not self._file.closed:
            self._file.flush()
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-TAIL_LINES:])

    def take_chunk(self) -> tuple[Stream, bytes] | None:
        """The oldest lines of one stream that wait to go live, at most `CHUNK_BYTES`."""
        if not self._waiting:
            return None
        stream, body = self._waiting.popleft()
        while len(body) < CHUNK_BYTES and self._waiting and self._waiting[0][0] == stream:
            body += self._waiting.popleft()[1]
        if len(body) > CHUNK_BYTES:
            cut = body.rfind(b"\n", 0, CHUNK_BYTES) + 1 or CHUNK_BYTES
            self._waiting.appendleft((stream, body[cut:]))
            body = body[:cut]
        self._waiting_bytes -= len(body)
        return stream, body

    def take_skipped(self) -> int:
        """How many bytes had to be left out of the live log since this was last asked."""
        skipped, self._skipped = self._skipped, 0
        return skipped

    def _to_file(self, data: bytes) -> None:
        room = FILE_BYTES - self._written
        self._written += len(data)
        self._file.write(data[: max(0, room)])
        if 0 <= room < len(data):
            self._file.write(b"\n[modelyard] the log is cut here: it is larger than is kept\n")
        self._file.flush()

    def _enqueue(self, stream: Stream, data: bytes) -> None:
        if not data:
            return
        self._waiting.append((stream, data))
        self._waiting_bytes += len(data)
        while self._waiting_bytes > BUFFER_BYTES:
            dropped = len(self._waiting.popleft()[1])
            self._waiting_bytes -= dropped
            self._skipped += dropped


@asynccontextmanager
async def shipping(lines: StepLog, client: Client, order: StepOrder) -> AsyncIterator[None]:
    """Publishes the log's chunks beside the step; at the end what is left has `_FLUSH_S` seconds to go out."""
    stop = asyncio.Event()
    shipper = asyncio.create_task(_ship(lines, client, order, stop))
    try:
        yield
    finally:
        stop.set()
        done, _ = await asyncio.wait([shipper], timeout=_FLUSH_S)
        if not done:
            shipper.cancel()
        with suppress(asyncio.CancelledError):
            await shipper


async def _ship(lines: StepLog, client: Client, order: StepOrder, stop: asyncio.Event) -> None:
    target, run, number = subject(order), uuid4().hex[:8], 0
    while True:
        last_round = stop.is_set()
        while (chunk := lines.take_chunk()) is not None:
            stream, body = chunk
            headers = {
                "attempt": str(order.attempt),
                "stream": stream,
                "Nats-Msg-Id": f"{order.step_id}-{run}-{number}",
            }
            if skipped := lines.take_skipped():
                headers["skipped-bytes"] = str(skipped)
            await _publish(client, target, body, headers)
            number += 1
        if last_round:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await stop.wait()
        lines.complete()


async def _publish(client: Client, target: str, body: bytes, headers: dict[str, str]) -> None:
    """Until it is stored, however long NATS is away: meanwhile the buffer drops its oldest."""
    while True:
        try:
            if not client.is_connected:  # a publish would wait for its time-out, holding its bytes twice
                await asyncio.sleep(EVERY_S)
                continue
            await client.jetstream().publish(target, body, timeout=_PUBLISH_S, headers=headers)
        except (NatsError, TimeoutError) as error:
            log.debug("log chunk not published", extra={"error": repr(error)})
            await asyncio.sleep(EVERY_S)
        else:
            return
