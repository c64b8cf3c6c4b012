"""The load generator counts exactly, and its percentiles are measured values."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.benchmarks.latency import percentile
from tests.benchmarks.load import Load, LoadError, measure, request, run

REQUEST = request("/score", b'{"a": 1}', headers={"authorization": "Bearer key"})


class CountingServer:
    """Answers every whole request after `delay_s`, in pieces of `piece` bytes, and counts them."""

    def __init__(
        self, *, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]", piece: int = 1000
    ) -> None:
        self.answer, self.piece = answer, piece
        self.answered = 0
        self.delay_s = 0.0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readexactly(len(REQUEST)) == REQUEST:
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                self.answered += 1
                for start in range(0, len(self.answer), self.piece):
                    writer.write(self.answer[start : start + self.piece])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["CountingServer"]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await server.wait_closed()


def load(server: CountingServer, *, connections: int = 4, seconds: float = 0.3, warm_up_s: float = 0.0) -> Load:
    return Load(
        host="127.0.0.1",
        port=server.port,
        request=REQUEST,
        connections=connections,
        seconds=seconds,
        warm_up_s=warm_up_s,
    )


@pytest.mark.parametrize("piece", [1000, 7], ids=["whole", "in pieces"])
async def test_every_request_is_counted_once(piece: int) -> None:
    async with CountingServer(piece=piece).running() as server:
        measured = await run(load(server))
    assert measured.sent == server.answered > 0
    assert measured.sent - 4 <= measured.answered <= measured.sent
    assert measured.per_second == pytest.approx(measured.answered / 0.3)


async def test_a_process_of_its_own_counts_the_same() -> None:
    async with CountingServer().running() as server:
        measured = await asyncio.to_thread(measure, load(server))
    assert measured.sent == server.answered > 0


async def test_the_warm_up_is_sent_and_not_counted() -> None:
    async with CountingServer().running() as server:
        measured = await run(load(server, warm_up_s=0.3))
    assert measured.sent == server.answered
    assert 0 < measured.answered < measured.sent - 4


async def test_latencies_are_the_servers() -> None:
    async with CountingServer().running() as server:
        server.delay_s = 0.02
        measured = await run(load(server, connections=2))
    assert 20_000 <= measured.p50_us <= measured.p99_us <= measured.max_us
    assert measured.answered <= 2 * 0.3 / 0.02


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno", "401 Unauthorized"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "chunked"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n[1]", "2 bytes after"),
    ],
)
async def test_what_is_not_a_whole_200_ends_the_measurement(answer: bytes, said: str) -> None:
    async with CountingServer(answer=answer).running() as server:
        with pytest.raises(LoadError, match=said):
            await run(load(server))


async def test_a_server_that_is_not_there_is_told_apart() -> None:
    async with CountingServer().running() as server:
        pass
    with pytest.raises(LoadError, match="no connection"):
        await run(load(server))
    with pytest.raises(LoadError, match="no connection"):
        await asyncio.to_thread(measure, load(server))


def test_percentiles_are_nearest_ranks() -> None:
    values = [float(value) for value in range(1, 101)]
    random.Random(1).shuffle(values)
    ordered = sorted(values)
    assert [percentile(ordered, percent) for percent in (0, 1, 50, 99, 99.5, 100)] == [1, 1, 50, 99, 100, 100]
    assert percentile([7.0], 99) == 7.0
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)
