"""Server-sent events, followed across interruptions (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from modelyard.api.http import Http, log
from modelyard.errors import ModelyardError, UnreachableError

_QUIET_S: Final = 45.0
"""The server says something every 15 s."""
_SOUND_S: Final = 5.0
"""A stream that was open this long had not failed, even if nothing happened meanwhile."""
_DELAYS_S: Final = (0.1, 0.3, 1.0, 2.0)
_AWAY: Final = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event: its id (empty when it has none), its name, its data."""

    id: str
    event: str
    data: str


class Parser:
    """Reads events from a stream of bytes in any chunks. Lines end with a line feed only: JSON may hold other characters that Python
    splits at."""

    def __init__(self) -> None:
        self._rest = b""
        self._id, self._event, self._data = "", "message", list[str]()

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that end in this chunk."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.rstrip(b"\r").decode().partition(":")
            value = value.removeprefix(" ")
            match name:
                case "id":
                    self._id = value
                case "event":
                    self._event = value
                case "data":
                    self._data.append(value)
                case "" if not value and self._data:
                    yield ServerEvent(self._id, self._event, "\n".join(self._data))
                    self._event, self._data = "message", []
                case _:
                    pass


def follow(
    http: Http, path: str, params: Mapping[str, Any], *, on_connect: Callable[[], None] = lambda: None
) -> Iterator[ServerEvent]:
    """Events without end. When the stream breaks it is opened again with the last id seen; `on_connect` hears of each opening.

    Raises:
        ModelyardError: the stream was refused.
        UnreachableError: it could not be opened for the client's `retry_s` seconds.
    """
    last_id, failures = "", 0
    failing_since: float | None = None
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        opened_at: float | None = None
        try:
            with http.opened(path, params=params, headers=headers, quiet_s=_QUIET_S) as answer:
                opened_at = time.monotonic()
                on_connect()
                parser = Parser()
                for chunk in answer.iter_bytes():
                    for event in parser.feed(chunk):
                        failures, failing_since = 0, None
                        last_id = event.id or last_id
                        yield event
            problem: ModelyardError = UnreachableError(http.url, "the stream ended")
        except httpx.TransportError as error:
            problem = UnreachableError(http.url, error or type(error).__name__)
        except ModelyardError as error:
            if error.status not in _AWAY:
                raise
            problem = error
        now = time.monotonic()
        if opened_at is not None and now - opened_at > _SOUND_S:
            failures, failing_since = 0, None
        failing_since = failing_since or now
        if now > failing_since + http.retry_s:
            raise problem
        if failures == len(_DELAYS_S):
            log.warning("%s (trying for %g s)", problem.detail, http.retry_s)
        time.sleep(_DELAYS_S[min(failures, len(_DELAYS_S) - 1)] * random.uniform(0.7, 1.0))  # noqa: S311 - spreads clients
        failures += 1
