"""Files behind http and https."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from modelyard_platform.errors import InvalidError, NotFoundError, TooLargeError, UnavailableError
from modelyard_platform.external.addresses import checked_addresses
from modelyard_platform.objects import CHUNK
from modelyard_platform.settings import ExternalSettings

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NO_HEAD: Final = frozenset(
    {400, 403, 404, 405, 501}
)  # what servers that know no HEAD, or signed only GET, answer to it
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=30)
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "modelyard"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says of a file, and its bytes. `etag` as it was sent, quotes and all."""

    etag: str | None
    size: int | None
    last_modified: str | None
    _response: urllib3.BaseHTTPResponse
    _deadline: float
    _url: str

    def chunks(self, limit: int) -> Iterator[bytes]:
        """The bytes. Raises TooLargeError past `limit`, UnavailableError when they end early or come too slowly."""
        if self.size is not None and self.size > limit:
            raise too_large(self._url, self.size, limit)
        read = 0
        try:
            for chunk in self._response.stream(CHUNK, decode_content=False):
                read += len(chunk)
                if read > limit:
                    raise too_large(self._url, read, limit)
                if time.monotonic() > self._deadline:
                    raise UnavailableError(
                        f"{shown(self._url)} is sent too slowly: only {read} bytes in the time allowed"
                    )
                yield chunk
            if time.monotonic() > self._deadline:  # the connection was cut, which may look like an end
                raise UnavailableError(f"{shown(self._url)} is sent too slowly: only {read} bytes in the time allowed")
        except urllib3.exceptions.HTTPError as error:
            raise UnavailableError(f"{shown(self._url)} broke off after {read} bytes") from error


class Web:
    """Reads the web, within what the settings allow. No proxy of the environment is used: it would resolve names itself."""

    def __init__(self, settings: ExternalSettings) -> None:
        self._hosts = settings.external_hosts

    @contextmanager
    def opened(self, url: str, seconds: float, *, head: bool = False) -> Iterator[Answer]:
        """The answer to a GET (or HEAD where the server knows it). Every redirect is checked as the first address was.

        Raises InvalidError, ForbiddenError, NotFoundError, UnavailableError.
        """
        deadline = time.monotonic() + seconds
        method, at = ("HEAD" if head else "GET"), url
        for _ in range(MAX_REDIRECTS + 1):
            with self._answer(method, at, deadline) as response:
                if response.status in _REDIRECTS and (target := response.headers.get("location")):
                    at = _redirected(at, target)
                    continue
                if method == "HEAD" and response.status in _NO_HEAD:
                    method = "GET"
                    continue
                _require_success(response.status, at)
                length = response.headers.get("content-length", "")
                yield Answer(
                    etag=response.headers.get("etag"),
                    size=int(length) if length.isascii() and length.isdigit() else None,
                    last_modified=response.headers.get("last-modified"),
                    _response=response,
                    _deadline=deadline,
                    _url=at,
                )
                return
        raise InvalidError(f"{shown(url)} redirects more than {MAX_REDIRECTS} times", code="external_unreadable")

    @contextmanager
    def _answer(self, method: str, url: str, deadline: float) -> Iterator[urllib3.BaseHTTPResponse]:
        parts = check_url(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        failure: Exception | None = None
        for address in checked_addresses(host, port, self._hosts):
            if time.monotonic() > deadline:
                break
            opened: list[socket.socket] = []
            pool = _pool(parts.scheme, address, port, host, opened)
            # Time-outs of urllib3 are for each read: a server that sends byte by byte would never meet one.
            cutting = threading.Timer(max(deadline - time.monotonic(), 0), _cut, (opened,))
            cutting.daemon = True
            cutting.start()
            try:
                response = pool.urlopen(
                    method,
                    (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                    headers={**_HEADERS, "Host": parts.netloc},
                    redirect=False,
                    retries=False,
                    timeout=_TIMEOUT,
                    preload_content=False,
                )
            except urllib3.exceptions.HTTPError as error:
                failure = error
                _close(pool, opened, cutting)
                continue
            try:
                yield response
            finally:
                response.close()
                _close(pool, opened, cutting)
            return
        raise UnavailableError(f"{shown(url)} does not answer: {type(failure).__name__}") from failure


def check_url(url: str) -> SplitResult:
    """The parts of an http(s) URL. Raises InvalidError for one with a password in it (it would be kept for all to read)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InvalidError(f"{url[:200]!r} is no URL: {error}", path="path") from error
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise InvalidError(f"{url[:200]!r} is no http or https URL", path="path")
    if parts.username is not None or parts.password is not None:
        raise InvalidError("a URL with a user name or password in it is not kept; give one without", path="path")
    return parts


def shown(url: str) -> str:
    """A URL as messages have it: without its query, which may hold a signature."""
    return url.partition("?")[0].partition("#")[0]


def too_large(url: str, size: int, limit: int) -> TooLargeError:
    """The error for more bytes than allowed."""
    return TooLargeError(f"{shown(url)} has {size} bytes or more, over the limit of {limit}", code="external_too_large")


class _Plain(HTTPConnection):
    """Puts its socket, a second handle of it, into `opened`."""

    def __init__(self, *arguments: Any, opened: list[socket.socket], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._opened = opened

    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        self._opened.append(connected.dup())
        return connected


class _Secure(_Plain, HTTPSConnection):
    """The same with TLS, whose handshake is watched too."""


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


def _pool(scheme: str, address: str, port: int, host: str, opened: list[socket.socket]) -> urllib3.HTTPConnectionPool:
    if scheme == "https":
        return _SecurePool(
            address,
            port,
            maxsize=1,
            cert_reqs="CERT_REQUIRED",
            server_hostname=host,
            assert_hostname=host,
            opened=opened,
        )
    return _PlainPool(address, port, maxsize=1, opened=opened)


def _cut(opened: list[socket.socket]) -> None:
    """Whoever reads from these connections meets their end."""
    for one in opened:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _close(pool: urllib3.HTTPConnectionPool, opened: list[socket.socket], cutting: threading.Timer) -> None:
    cutting.cancel()
    pool.close()
    for one in opened:
        one.close()


def _redirected(url: str, target: str) -> str:
    following = urljoin(url, target)
    if url.startswith("https:") and not following.startswith("https:"):
        raise InvalidError(f"{shown(url)} redirects from https to {following[:5]}…, which is not followed")
    return following


def _require_success(status: int, url: str) -> None:
    if 200 <= status < 300:
        return
    if status in (404, 410):
        raise NotFoundError(f"there is nothing at {shown(url)} (HTTP {status})", code="external_missing")
    if status == 429 or status >= 500:
        raise UnavailableError(f"{shown(url)} answers HTTP {status}")
    wants = (
        ": it asks for credentials, which are not kept here; the settings EXTERNAL_S3_* say how s3:// is read"
        if status in (401, 403)
        else ""
    )
    raise InvalidError(f"{shown(url)} answers HTTP {status}{wants}", code="external_unreadable")
