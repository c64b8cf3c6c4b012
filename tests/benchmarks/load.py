"""A closed-loop HTTP/1.1 load generator: each connection sends the same request, waits for its answer, and sends again.

It needs nothing that the workspace has not, and runs as a process of its own (`measure`). One core of it makes some 100,000 requests/s:
requests are bytes made once, and of an answer only the status and the length are read. What is sent is also answered: when time is up
nothing more is sent, and what is under way is waited for. An answer other than 200 or 201 ends the measurement: refusals are quick,
and would pass for speed.

A closed loop sends less while the server is slow, so its latencies are those of these many clients, not those of a given rate.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from array import array
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import Final, cast

import uvloop

from tests.benchmarks.latency import percentile

_MOST_PER_SECOND: Final = 250_000
"""More than this machine's generator can make; it sizes the array of latencies."""
_GRACE_S: Final = 10.0
_ROOT: Final = Path(__file__).parents[2]
_OK: Final = (b"http/1.1 200 ", b"http/1.1 201 ")
_LENGTH: Final = b"content-length:"
_SHOWN: Final = 500


class LoadError(Exception):
    """The server did not do its part: the figures would be worth nothing."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent where. `request` is the whole request; the answers to `warm_up_s` seconds of it are not counted.

    Where it holds the text `numbered`, each connection sends its own number, with as many digits.
    """

    host: str
    port: int
    request: bytes
    connections: int
    seconds: float
    warm_up_s: float = 0.0
    numbered: str = "{connection}"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`answered` counts what was answered within the measured time; `sent` all that was sent, and so answered, from the start.

    Latencies are in µs, from the request's write to its whole answer. `cpu_share` is how much of a core the generator used.
    """

    answered: int
    sent: int
    per_second: float
    p50_us: float
    p99_us: float
    max_us: float
    cpu_share: float


def request(path: str, body: bytes = b"", *, headers: dict[str, str] | None = None) -> bytes:
    """The bytes of a POST of JSON."""
    named = {"host": "benchmark", "content-type": "application/json", "content-length": str(len(body))} | (
        headers or {}
    )
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def measure(load: Load) -> Measured:
    """Make the load in a process of its own. Raises LoadError."""
    order = asdict(load) | {"request": load.request.decode("latin-1")}
    limit_s = load.warm_up_s + load.seconds + 2 * _GRACE_S
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.load"],
            cwd=_ROOT,
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"the generator did not end within {limit_s:g} s") from error
    if done.returncode != 0:
        raise LoadError(done.stderr.strip()[-2000:])
    return Measured(**json.loads(done.stdout))


async def run(load: Load) -> Measured:
    """Make the load in this loop. Raises LoadError."""
    loop = asyncio.get_running_loop()
    tally = _Tally(load, loop.create_future())
    clients: list[_Client] = []
    try:
        async with asyncio.timeout(load.warm_up_s + load.seconds + _GRACE_S):
            for number in range(load.connections):
                sent = load.request.replace(load.numbered.encode(), b"%0*d" % (len(load.numbered), number))
                _, client = await loop.create_connection(partial(_Client, sent, tally), load.host, load.port)
                clients.append(client)
            cpu_before = time.process_time()
            tally.start(len(clients))
            for client in clients:
                client.send()
            await tally.done
            cpu = time.process_time() - cpu_before
    except TimeoutError:
        raise LoadError(f"{tally.under_way} of {tally.sent} requests were not answered") from None
    except OSError as error:
        raise LoadError(f"no connection to {load.host}:{load.port}: {error}") from error
    finally:
        for client in clients:
            client.close()
    ordered = sorted(tally.latencies[: tally.answered])
    if not ordered:
        raise LoadError(f"no request was answered within {load.seconds:g} s")
    return Measured(
        answered=tally.answered,
        sent=tally.sent,
        per_second=tally.answered / load.seconds,
        p50_us=percentile(ordered, 50) / 1e3,
        p99_us=percentile(ordered, 99) / 1e3,
        max_us=ordered[-1] / 1e3,
        cpu_share=cpu / (load.warm_up_s + load.seconds),
    )


class _Tally:
    """What all connections share: the clock's marks (ns), and the counts."""

    def __init__(self, load: Load, done: asyncio.Future[None]) -> None:
        self._load = load
        self.done = done
        self.latencies = array("q", bytes(8 * int(load.seconds * _MOST_PER_SECOND + 1)))
        self.answered = self.sent = self.under_way = 0
        self.counted_from = self.until = 0

    def start(self, connections: int) -> None:
        self.under_way = connections
        self.counted_from = perf_counter_ns() + int(self._load.warm_up_s * 1e9)
        self.until = self.counted_from + int(self._load.seconds * 1e9)

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadError(reason))

    def finished(self) -> None:
        self.under_way -= 1
        if not self.under_way and not self.done.done():
            self.done.set_result(None)


class _Client(asyncio.Protocol):
    """One connection. Answers must say their length and nothing else may follow them."""

    __slots__ = ("_at", "_partial", "_request", "_tally", "_transport", "_write")

    def __init__(self, request: bytes, tally: _Tally) -> None:
        self._request = request
        self._tally = tally
        self._partial = b""
        self._at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._write = self._transport.write

    def send(self) -> None:
        self._tally.sent += 1
        self._at = perf_counter_ns()
        self._write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._partial:
            data = self._partial + data
        head_end = data.find(b"\r\n\r\n")
        if head_end < 0:
            self._partial = data
            return
        head = data[:head_end].lower()
        at = head.find(_LENGTH)
        if at < 0 or not head.startswith(_OK):
            self._tally.fail(f"not an answer to count: {data[:_SHOWN]!r}")
            return
        line_end = head.find(b"\r\n", at)
        missing = head_end + 4 + int(head[at + len(_LENGTH) : line_end if line_end > 0 else head_end]) - len(data)
        if missing:
            self._partial = data
            if missing < 0:
                self._tally.fail(f"{-missing} bytes after the answer: {data[:_SHOWN]!r}")
            return
        self._partial = b""
        self._received()

    def _received(self) -> None:
        now = perf_counter_ns()
        tally = self._tally
        if now >= tally.until:
            tally.finished()
            return
        if now >= tally.counted_from:
            tally.latencies[tally.answered] = now - self._at
            tally.answered += 1
        tally.sent += 1
        self._at = now
        self._write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tally.fail(f"the server closed a connection ({exc or 'end of stream'})")

    def close(self) -> None:
        self._transport.abort()


def main() -> int:
    order = json.load(sys.stdin)
    load = Load(**order | {"request": order["request"].encode("latin-1")})
    gc.disable()  # nothing here makes cycles, and a collection would be a server's latency
    try:
        measured = uvloop.run(run(load))
    except LoadError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    json.dump(asdict(measured), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
