"""The blobs of a Modelyard, over HTTP: straight to and from its S3 server where that can be reached, else through the gateway."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Final, Self

import httpx

from modelyard.api.http import Http, Json, is_loopback, log
from modelyard.errors import ModelyardError, UnreachableError
from modelyard_platform.errors import NotFoundError
from modelyard_platform.trees import Blobs, DigestMismatchError

Advance = Callable[[int], None]
"""Told how many bytes are through; negative when they have to go through again."""

_CHUNK: Final = 1 << 18
_QUESTION: Final = 1000
_TIMEOUT: Final = httpx.Timeout(60.0, connect=3.0)
_BREAKS: Final = 5


class RemoteBlobs(Blobs):
    """For one upload or download. A request to the S3 server that fails is made again through the gateway, which says what is wrong."""

    def __init__(self, http: Http, advance: Advance) -> None:
        self._http = http
        self._advance = advance
        self._places: dict[str, Json] = {}
        self._direct: httpx.Client | None = None
        self._reached = True
        self._lock = Lock()
        self._at_end = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._at_end.close()

    def missing(self, blobs: Mapping[str, int]) -> Collection[str]:
        """Those that the server does not have."""
        given = [{"sha256": digest, "size": size} for digest, size in blobs.items()]
        asked = (given[start : start + _QUESTION] for start in range(0, len(given), _QUESTION))
        places = [place for part in asked for place in self._http.post("blobs/uploads", {"blobs": part})["missing"]]
        self._places |= {place["sha256"]: place for place in places}
        missing = [place["sha256"] for place in places]
        self._advance(sum(blobs.values()) - sum(blobs[digest] for digest in missing))
        return missing

    def put(self, digest: str, data: bytes) -> None:
        """Store one. Raises ModelyardError when it is refused."""
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            self._advance(-sent)  # of an attempt that broke off
            sent = 0
            for start in range(0, len(data), _CHUNK):
                chunk = data[start : start + _CHUNK]
                yield chunk
                sent += len(chunk)
                self._advance(len(chunk))

        if place := self._place(digest):
            try:
                if self._client().put(place["url"], content=chunks(), headers=place["headers"]).is_success:
                    return
            except httpx.TransportError as error:
                self._lost(error)
        self._http.request("PUT", f"blobs/{digest}", content=chunks, headers={"Content-Length": str(len(data))})

    def expect(self, digests: Collection[str]) -> None:
        """Ask where these are."""
        wanted = list(digests)
        asked = (wanted[start : start + _QUESTION] for start in range(0, len(wanted), _QUESTION))
        for part in asked:
            for place in self._http.post("blobs/downloads", {"digests": part})["blobs"]:
                self._places[place["sha256"]] = place

    def chunks(self, digest: str) -> Iterator[bytes]:
        """One's bytes. A stream that breaks off is continued where it did. Raises NotFoundError, ModelyardError."""
        seen, size, breaks = hashlib.sha256(), 0, 0
        while True:
            try:
                with self._opened(digest, size) as answer:
                    for chunk in answer.iter_bytes():
                        seen.update(chunk)
                        size += len(chunk)
                        self._advance(len(chunk))
                        yield chunk
                break
            except httpx.TransportError as error:
                breaks += 1
                if breaks > _BREAKS:
                    raise UnreachableError(
                        self._http.url, f"blob {digest} broke off {breaks} times: {error}"
                    ) from error
        if seen.hexdigest() != digest:
            raise DigestMismatchError(f"blob {digest} came damaged: its bytes have the digest {seen.hexdigest()}")

    @contextmanager
    def _opened(self, digest: str, at: int) -> Iterator[httpx.Response]:
        """An answer that gives the bytes from `at` on."""
        headers = {"Range": f"bytes={at}-"} if at else {}
        with ExitStack() as stack:
            answer: httpx.Response | None = None
            if place := self._place(digest):
                given = {**place["headers"], **headers}
                try:
                    answer = stack.enter_context(self._client().stream("GET", place["url"], headers=given))
                except httpx.TransportError as error:
                    self._lost(error)
            if answer is None or answer.status_code != (206 if at else 200):
                opened = partial(self._http.opened, f"blobs/{digest}", headers=headers)
                try:
                    answer = self._http.repeated(lambda: stack.enter_context(opened()))
                except ModelyardError as error:
                    if error.status == HTTPStatus.NOT_FOUND:
                        raise NotFoundError(error.detail, code=error.code) from error
                    raise
            yield answer

    def _place(self, digest: str) -> Json | None:
        """Where the S3 server has it or wants it; asked once, so that what fails there is not tried there again."""
        place: Json | None = self._places.pop(digest, None)
        return place if place and self._reached and not place["url"].startswith("/") else None

    def _lost(self, error: httpx.TransportError) -> None:
        log.debug("the object store: %r; through the gateway", error)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            self._reached = False  # from here nobody can: it is not tried for every blob

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._direct is None:
                client = httpx.Client(
                    timeout=_TIMEOUT,
                    limits=httpx.Limits(max_connections=16),
                    trust_env=not is_loopback(self._http.url),
                )
                self._direct = self._at_end.enter_context(client)
            return self._direct
