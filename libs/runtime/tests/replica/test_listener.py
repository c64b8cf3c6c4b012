"""The listener against raw bytes: pipelining, partial and malformed requests, bounds of size and time."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import Any

import pytest

from modelyard_runtime.replica.http import Limits, Request, Response
from modelyard_runtime.replica.listener import Listener
from modelyard_runtime.replica.metrics import Metrics

LIMITS = Limits(header_bytes=2048, body_bytes=1024, header_s=0.6, body_s=0.6, idle_s=1.0, linger_s=0.5, connections=8)


@pytest.fixture
def listener() -> Any:
    """Answers `/slow` after 0.2 s, `/never` not at all, all else with its own path and body size."""

    def handler(request: Request) -> Any:
        if request.path in (b"/slow", b"/never"):

            async def later() -> Any:
                await asyncio.sleep(0.2 if request.path == b"/slow" else 60)
                return Response(200, b"slow")

            return later()
        return Response(200, request.path + b" %d" % len(request.body))

    opened = Listener()
    opened.open("127.0.0.1", handler, b"", LIMITS, Metrics())
    yield opened
    opened.stop()


def exchange(listener: Any, data: bytes, *, half_close: bool = True) -> bytes:
    """Sends the bytes and reads until the listener closes."""
    with socket.create_connection(("127.0.0.1", listener.port), 10) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def get(path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n".encode()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_pipelined_requests_are_answered_in_order(listener: Any) -> None:
    answer = exchange(
        listener,
        get("/1") + get("/slow") + get("/2") + get("/slow") + get("/3", "connection: close\r\n"),
        half_close=False,
    )
    bodies = [part.partition(b"HTTP/1.1")[0] for part in answer.split(b"\r\n\r\n")[1:]]
    assert bodies == [b"/1 0", b"slow", b"/2 0", b"slow", b"/3 0"]


def test_more_pipelined_requests_than_are_queued(listener: Any) -> None:
    answer = exchange(
        listener, get("/slow") + get("/x") * 500 + get("/last", "connection: close\r\n"), half_close=False
    )
    assert answer.count(b"HTTP/1.1 200") == 502
    assert answer.endswith(b"/last 0")


def test_a_client_that_closed_its_side_still_gets_its_answer(listener: Any) -> None:
    assert exchange(listener, get("/slow")).endswith(b"slow")


def test_a_request_in_single_bytes(listener: Any) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /p HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc":
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).endswith(b"/p 3")


def test_chunked_bodies(listener: Any) -> None:
    head = b"POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    assert exchange(listener, head + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n").endswith(b"/c 7")
    assert status(exchange(listener, head + b"400\r\n" + b"x" * 1024 + b"\r\n1\r\ny\r\n0\r\n\r\n")) == 413


def test_expect_continue(listener: Any) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), 10) as connection:
        connection.sendall(b"POST /e HTTP/1.1\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n")
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ab")
        assert connection.recv(1024).endswith(b"/e 2")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", 400),
        (b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /a HTTP/1.1\r\nx: " + b"y" * 5000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 5000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET /a HTTP/1.1\r\nx: " + b"y" * 5000, 431),
        (b"GET /a HTTP/1.1\r\n" + b"a: b\r\n" * 2000 + b"\r\n", 431),
        (b"POST /a HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n", 400),
        (b"POST /a HTTP/1.1\r\ncontent-length: 1025\r\n\r\n", 413),
    ],
)
def test_malformed_requests_are_refused_and_the_listener_lives(listener: Any, data: Any, expected: Any) -> None:
    answer = exchange(listener, data)
    assert status(answer) == expected
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(answer.split(b"\r\n\r\n", 1)[1])["status"] == expected
    assert status(exchange(listener, get("/ok"))) == 200


def test_a_refused_body_is_read_away_so_that_the_answer_arrives(listener: Any) -> None:
    answer = exchange(listener, b"POST /a HTTP/1.1\r\ncontent-length: 3000000\r\n\r\n" + b"x" * 3_000_000)
    assert status(answer) == 413


def test_slow_clients_get_408_and_idle_ones_are_closed(listener: Any) -> None:
    for partial in (
        b"GET /a HT",
        b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\n",
        b"POST /a HTTP/1.1\r\ncontent-length: 5\r\n\r\nab",
    ):
        assert status(exchange(listener, partial, half_close=False)) == 408
    started = time.monotonic()
    assert exchange(listener, b"", half_close=False) == b""
    assert time.monotonic() - started < 5


def test_an_upgrade_is_not_followed(listener: Any) -> None:
    offered = get("/up", "connection: upgrade\r\nupgrade: h2c\r\n")
    assert status(exchange(listener, offered, half_close=False)) in (200, 400)


def test_connections_are_bounded(listener: Any) -> None:
    held = [socket.create_connection(("127.0.0.1", listener.port), 10) for _ in range(LIMITS.connections)]
    for connection in held:
        connection.sendall(get("/held"))
        assert connection.recv(1024)
    try:
        with socket.create_connection(("127.0.0.1", listener.port), 10) as over:
            assert over.recv(1024) == b""
    except ConnectionResetError:
        pass  # an abort reads as either
    finally:
        for connection in held:
            connection.close()


def test_drain_finishes_what_is_under_way_and_refuses_new_connections(listener: Any) -> None:
    import threading

    answers: list[bytes] = []
    client = threading.Thread(target=lambda: answers.append(exchange(listener, get("/slow"), half_close=False)))
    client.start()
    time.sleep(0.05)
    assert listener.drain(0.0, 5.0) == 0
    client.join(10)
    assert answers[0].endswith(b"slow")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listener.port), 1)


def test_drain_is_bounded(listener: Any) -> None:
    with socket.create_connection(("127.0.0.1", listener.port), 10) as connection:
        connection.sendall(get("/never"))
        time.sleep(0.05)
        started = time.monotonic()
        assert listener.drain(0.0, 0.5) == 1
        assert time.monotonic() - started < 3
