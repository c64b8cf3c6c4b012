"""Requests to Modelyard: retried while it restarts, each with effect at most once, problems raised as `ModelyardError`."""

from __future__ import annotations

import copy
import ipaddress
import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from modelyard.api.waiting import Waiting
from modelyard.errors import ModelyardError, UnreachableError

log = logging.getLogger("modelyard")

T = TypeVar("T")
Json = dict[str, Any]
Documents = list[Json]

API: Final = "/api/v1"
RETRY_S: Final = 60.0
_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
_TELL_AFTER_S: Final = 1.0
_PAGE: Final = 500
_TIMEOUT: Final = httpx.Timeout(120.0, connect=5.0)
_AWAY: Final = frozenset({502, 503, 504})
_HOPELESS: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class Http:
    """One Modelyard and one caller.

    Every request may be sent again: GET, PUT and DELETE by their nature, POST because each carries an `Idempotency-Key`. So when
    nobody answers, or the answer is 502, 503 or 504, it is repeated with growing delays for `retry_s` seconds after its first
    failure. Safe to share between threads.
    """

    def __init__(
        self, url: str, token: str, *, headers: Mapping[str, str] | None = None, retry_s: float = RETRY_S
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.headers = dict(headers or {})
        self.retry_s = retry_s
        self.prefix = f"{API}/"
        sent = {**self.headers, "Authorization": f"Bearer {token}"}  # as UTF-8: a reason need not be ASCII
        try:
            self._http = httpx.Client(
                base_url=self.url,
                headers=[(name.encode(), value.encode()) for name, value in sent.items()],
                timeout=_TIMEOUT,
                limits=httpx.Limits(max_connections=16),
                trust_env=not is_loopback(self.url),  # a proxy cannot reach this machine's own stack
            )
        except httpx.InvalidURL as error:
            raise UnreachableError(url, error) from error

    def under(self, prefix: str) -> Http:
        """The same connections, to the addresses below `prefix`."""
        below = copy.copy(self)
        below.prefix = f"{self.prefix}{prefix}/"
        return below

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer. `path` is relative to `/api/v1`, its parts already quoted by `quoted`."""
        return self._json(self.request("GET", path, params=params))

    def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer (None when empty) to a POST, which takes effect once however often it is sent."""
        return self._json(self.request("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}))

    def put(self, path: str, body: Any) -> Any:
        """The JSON answer (None when empty) to a PUT."""
        return self._json(self.request("PUT", path, json=body))

    def patch(self, path: str, body: Any) -> Any:
        """The JSON answer to a PATCH that sets values."""
        return self._json(self.request("PATCH", path, json=body))

    def delete(self, path: str) -> None:
        """Delete. A 404 to a repeated request is the answer that an earlier one did it."""
        attempts = 0

        def attempt() -> None:
            nonlocal attempts
            attempts += 1
            try:
                self._once("DELETE", path)
            except ModelyardError as error:
                if error.status != httpx.codes.NOT_FOUND or attempts == 1:
                    raise

        self.repeated(attempt)

    def pages(self, path: str, params: Mapping[str, Any] | None = None, *, limit: int | None = None) -> Iterator[Json]:
        """The items of a list, page by page, at most `limit`."""
        given = {key: value for key, value in (params or {}).items() if value is not None}
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = {"limit": _PAGE if left is None else min(left, _PAGE)}
            page = self.get(path, given | size | ({"cursor": cursor} if cursor else {}))
            items = page["items"][: size["limit"]]
            yield from items
            left = None if left is None else left - len(items)
            cursor = page.get("next")
            if not cursor:
                return

    def text(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """A text answer whole."""
        return self.request("GET", path, params=params).text

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The answer, read whole. A body that is a callable is called anew for each attempt and gives the chunks to send.

        Raises:
            ModelyardError: the answer was a problem.
            UnreachableError: nobody answered in time.
        """
        return self.repeated(lambda: self._once(method, path, **arguments))

    def repeated(self, attempt: Waiting[T]) -> T:
        """What `attempt` gives, tried again while Modelyard is away."""
        began: float | None = None
        delay, told = _FIRST_DELAY_S, False
        while True:
            try:
                return attempt()
            except _HOPELESS as error:
                raise UnreachableError(self.url, error) from error
            except httpx.TransportError as error:
                problem: ModelyardError = UnreachableError(self.url, error or type(error).__name__)
            except ModelyardError as error:
                if error.status not in _AWAY:
                    raise
                problem = error
            now = time.monotonic()
            began = began or now
            if now + delay > began + self.retry_s:
                raise problem
            if not told and now - began > _TELL_AFTER_S:
                told = True
                log.warning("%s (trying for %g s)", problem.detail, self.retry_s)
            time.sleep(delay * random.uniform(0.7, 1.0))  # noqa: S311 - spreads clients, hides nothing
            delay = min(2 * delay, _LONGEST_DELAY_S)

    @contextmanager
    def opened(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        quiet_s: float | None = None,
    ) -> Iterator[httpx.Response]:
        """An answer whose body is still to be read, once: who reads it repeats. `quiet_s`: the longest silence allowed.

        Raises:
            ModelyardError: the answer was a problem.
            httpx.TransportError: nobody answered, or stopped answering.
        """
        timeout = _TIMEOUT if quiet_s is None else httpx.Timeout(quiet_s, connect=5.0)
        with self._http.stream("GET", self.prefix + path, params=params, headers=headers, timeout=timeout) as answer:
            if not answer.is_success:
                answer.read()
                raise problem_of(answer)
            yield answer

    def _once(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        body = arguments.pop("content", None)
        answer = self._http.request(method, self.prefix + path, content=body() if callable(body) else body, **arguments)
        if not answer.is_success:
            raise problem_of(answer)
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise UnreachableError(self.url, "what answers there is not Modelyard") from None


def problem_of(answer: httpx.Response) -> ModelyardError:
    """The error that an answer (RFC 9457 problem+json, or anything else) stands for."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    line = problem.get("line")
    errors = problem.get("errors")
    return ModelyardError(
        str(problem.get("detail") or f"HTTP {answer.status_code} {answer.reason_phrase} from {answer.url}"),
        code=str(problem.get("code") or "http_error"),
        status=answer.status_code,
        path=str(problem["path"]) if problem.get("path") else None,
        line=line if isinstance(line, int) else None,
        errors=[item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else (),
    )


def quoted(*parts: str) -> str:
    """Parts of a path, each as one segment whatever is in it."""
    return "/".join(quote(part, safe="@:") for part in parts)


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
