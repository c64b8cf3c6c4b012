"""HTTP/1.1 for a few small routes: one `asyncio.Protocol` on httptools' parser.

Why not a framework: the work of a request is some microseconds of model, and a framework's request path is some ten
times that. Kept from what they do: keep-alive, pipelining (answers in order), `Expect: 100-continue`, bounds on
header and body size and time, back-pressure. Bad input of any kind ends in an answer or a closed connection, never in
an exception that leaves this module.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Any, Final, NamedTuple, cast

import httptools
import orjson

from modelyard_runtime.replica.metrics import Metrics

log = logging.getLogger(__name__)

_MAX_PIPELINED: Final = 32
_REQUEST_ID_BYTES: Final = 128
_REASON: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_IDS: Final = itertools.count()
_ID_PREFIX: Final = os.urandom(8).hex().encode()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a connection: sizes in bytes, times in seconds.

    `linger_s` is how long a refused body is read and thrown away.
    """

    header_bytes: int = 16 * 1024
    body_bytes: int = 4 * 1024 * 1024
    header_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 120.0
    write_s: float = 30.0
    linger_s: float = 2.0
    connections: int = 4096


class Request(NamedTuple):
    """A whole request. `method`, `path` and `request_id` are as sent (ASCII bytes)."""

    method: bytes
    path: bytes
    body: bytes
    request_id: bytes


class Response(NamedTuple):
    """An answer. `headers` are further header lines, each ending in CRLF."""

    status: int
    body: bytes
    headers: bytes = b"content-type: application/json\r\n"


Handler = Callable[[Request], "Response | Coroutine[Any, Any, Response]"]


def problem(status: int, code: str, detail: str, **members: Any) -> Response:
    """A problem document (RFC 9457) as an answer."""
    document = {
        "type": f"urn:modelyard:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
    }
    return Response(
        status, orjson.dumps(document | members, default=str), b"content-type: application/problem+json\r\n"
    )


class Connection(asyncio.Protocol):
    """One client's connection. Lives on the listener's loop."""

    __slots__ = (
        "_body", "_close", "_deadline", "_discarding", "_handler", "_header_bytes", "_in_headers", "_length", "_listener",
        "_parser", "_queue", "_receiving", "_request_id", "_started", "_task", "_transport", "_url",
    )  # fmt: skip

    def __init__(self, listener: Connections) -> None:
        self._listener = listener
        self._handler = listener.handler
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Request | Response] = deque()
        self._task: asyncio.Task[None] | None = None
        self._close = False
        self._discarding = False
        self._in_headers = False
        self._receiving = False
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._body: list[bytes] = []
        self._length = 0
        self._header_bytes = 0
        self._request_id = b""

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._deadline = self._listener.now + self._listener.limits.idle_s
        if not self._listener.add(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 asyncio's signature
        self._listener.discard(self)
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._discarding:
                self._refuse(problem(400, "bad_request", f"not HTTP/1.1: {error}"))
            return
        except httptools.HttpParserUpgrade:
            self._refuse(problem(400, "bad_request", "no protocol to upgrade to is spoken here"))
            return
        if self._in_headers:  # a header that is not complete yet was not counted by its callback
            self._header_bytes += len(data)
            if self._header_bytes > self._listener.limits.header_bytes:
                self._refuse_headers()

    def eof_received(self) -> bool:
        return (
            self._task is not None and not self._discarding
        )  # a client that has only closed its sending side still gets its answer

    def pause_writing(self) -> None:
        self._transport.pause_reading()
        self._deadline = self._listener.now + self._listener.limits.write_s

    def resume_writing(self) -> None:
        self._deadline = self._listener.now + self._listener.limits.idle_s
        if len(self._queue) < _MAX_PIPELINED:
            self._transport.resume_reading()

    # What the parser calls

    def on_message_begin(self) -> None:
        self._reset()
        self._in_headers = True
        self._receiving = True
        self._deadline = self._listener.now + self._listener.limits.header_s

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._header_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        size = len(name)
        if size == 12 and name.lower() == b"x-request-id":
            if len(value) <= _REQUEST_ID_BYTES and value.isascii() and value.decode("ascii").isprintable():
                self._request_id = value
        elif size == 14 and name.lower() == b"content-length":
            if value.isdigit() and int(value[:19]) > self._listener.limits.body_bytes:
                self._refuse_body()
        elif (
            size == 6
            and name.lower() == b"expect"
            and value.lower() == b"100-continue"
            and not self._discarding
            and self._task is None
        ):
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_headers_complete(self) -> None:
        self._in_headers = False
        if self._header_bytes > self._listener.limits.header_bytes:
            self._refuse_headers()
        else:
            self._deadline = self._listener.now + self._listener.limits.body_s

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if self._length > self._listener.limits.body_bytes:
            self._refuse_body()
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self._receiving = False
        if self._discarding:
            return
        body = self._body
        request = Request(
            self._parser.get_method(),
            self._url,
            body[0] if len(body) == 1 else b"".join(body),
            self._request_id or b"%b-%x" % (_ID_PREFIX, next(_IDS)),
        )
        if not self._parser.should_keep_alive():
            self._close = True
        if self._task is None:
            self._answer(request)
        else:
            self._enqueue(request)

    # Answering

    def _answer(self, request: Request) -> None:
        """Hands the request on; most answers are there at once, and a task is only made for the others."""
        started = perf_counter()
        metrics = self._listener.metrics
        result = self._handler(request)
        if type(result) is Response:
            metrics.observe(result.status, perf_counter() - started)
            self._write(result, request.request_id)
            self._deadline = self._listener.now + self._listener.limits.idle_s
            return
        metrics.in_flight += 1
        self._task = self._listener.loop.create_task(
            self._await(cast("Awaitable[Response]", result), request.request_id, started)
        )

    async def _await(self, coming: Awaitable[Response], request_id: bytes, started: float) -> None:
        metrics = self._listener.metrics
        self._deadline = float("inf")  # the request's own time limit holds
        try:
            response = await coming
            metrics.observe(response.status, perf_counter() - started)
        finally:
            metrics.in_flight -= 1
            self._task = None
        self._deadline = self._listener.now + self._listener.limits.idle_s
        self._write(response, request_id)
        while self._queue and self._task is None and not self._transport.is_closing():
            waiting = self._queue.popleft()
            if type(waiting) is Request:
                self._answer(waiting)
            else:
                self._finish(cast("Response", waiting))
        if len(self._queue) < _MAX_PIPELINED and not self._transport.is_closing():
            self._transport.resume_reading()

    def _enqueue(self, waiting: Request | Response) -> None:
        self._queue.append(waiting)
        if len(self._queue) >= _MAX_PIPELINED:
            self._transport.pause_reading()

    def _write(self, response: Response, request_id: bytes) -> None:
        close = (self._close or self._listener.draining) and not self._queue
        self._transport.write(
            b"HTTP/1.1 %d %b\r\n%b%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n%b"
            % (
                response.status,
                _REASON.get(response.status, b""),
                response.headers,
                self._listener.headers,
                request_id,
                len(response.body),
                b"connection: close\r\n" if close else b"",
                response.body,
            )
        )
        if close:
            self._transport.close()

    def _refuse_headers(self) -> None:
        self._refuse(
            problem(431, "headers_too_large", f"the header is larger than {self._listener.limits.header_bytes} bytes")
        )

    def _refuse_body(self) -> None:
        self._refuse(problem(413, "too_large", f"the body is larger than {self._listener.limits.body_bytes} bytes"))

    def _refuse(self, response: Response) -> None:
        """Answers what cannot be read to its end, and closes, after the answers that are due before it."""
        if self._discarding:
            return
        self._discarding = True
        self._in_headers = False
        if self._task is None:
            self._finish(response)
        else:
            self._queue.append(response)

    def _finish(self, response: Response) -> None:
        """Sends a last answer. What the client still sends is read and dropped for a moment: closing at once would
        reset the connection, and the answer with it."""
        self._listener.metrics.observe(response.status, 0.0)
        request_id = self._request_id or b"%b-%x" % (_ID_PREFIX, next(_IDS))
        self._close = True
        self._discarding = True
        self._transport.write(
            b"HTTP/1.1 %d %b\r\n%b%bx-request-id: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (
                response.status,
                _REASON.get(response.status, b""),
                response.headers,
                self._listener.headers,
                request_id,
                len(response.body),
                response.body,
            )
        )
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline = self._listener.now + self._listener.limits.linger_s

    # What the sweep calls

    def expire(self, now: float) -> None:
        """Ends a connection that has used up its time: silently when idle, with 408 when in the middle of a request."""
        if now < self._deadline:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        elif self._discarding or not self._receiving:
            self._transport.close()
        else:
            self._refuse(problem(408, "request_timeout", "the request did not arrive in time"))

    def end(self) -> None:
        """Closes as soon as what is under way is answered."""
        if self._task is None and not self._queue:
            self._transport.close()
        else:
            self._close = True

    def abort(self) -> None:
        self._transport.abort()


class Connections:
    """What all connections of a listener share, and the sweep that ends the slow ones.

    `now` is the loop's time, coarse to half a second: reading the clock three times a request would cost more than
    the precision is worth.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, handler: Handler, headers: bytes, limits: Limits, metrics: Metrics
    ) -> None:
        self.loop = loop
        self.handler = handler
        self.headers = headers
        self.limits = limits
        self.metrics = metrics
        self.draining = False
        self.now = loop.time()
        self._open: set[Connection] = set()
        self._sweep()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> bool:
        if len(self._open) >= self.limits.connections:
            log.warning("more than %d connections: refusing one", self.limits.connections)
            return False
        self._open.add(connection)
        return True

    def discard(self, connection: Connection) -> None:
        self._open.discard(connection)

    def end_all(self) -> None:
        """Closes idle connections now and the others after their answer."""
        for connection in list(self._open):
            connection.end()

    def abort_all(self) -> None:
        for connection in list(self._open):
            connection.abort()

    def _sweep(self) -> None:
        self.now = self.loop.time()
        for connection in list(self._open):
            connection.expire(self.now)
        self._timer = self.loop.call_later(0.5, self._sweep)

    def stop(self) -> None:
        self._timer.cancel()
