# Generated from modelyard.api.http by libs.client.generate_async: do not edit.
"""Requests to Modelyard: retried while it restarts, each with effect at most once, problems raised as `ModelyardError`."""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from modelyard.aio.waiting import Waiting
from modelyard.api.http import (
    _AWAY,
    _FIRST_DELAY_S,
    _HOPELESS,
    _LONGEST_DELAY_S,
    _PAGE,
    _TELL_AFTER_S,
    _TIMEOUT,
    API,
    RETRY_S,
    Json,
    T,
    is_loopback,
    log,
    problem_of,
)
from modelyard.errors import ModelyardError, UnreachableError


class Http:
    """One Modelyard and one caller.

    Every request may be sent again: GET, PUT and DELETE by their nature, POST because each carries an `Idempotency-Key`. So when
    nobody answers, or the answer is 502, 503 or 504, it is repeated with growing delays for `retry_s` seconds after its first
    failure.
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
            self._http = httpx.AsyncClient(
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

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """The JSON answer. `path` is relative to `/api/v1`, its parts already quoted by `quoted`."""
        return self._json(await self.request("GET", path, params=params))

    async def post(self, path: str, body: Any = None) -> Any:
        """The JSON answer (None when empty) to a POST, which takes effect once however often it is sent."""
        return self._json(await self.request("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}))

    async def put(self, path: str, body: Any) -> Any:
        """The JSON answer (None when empty) to a PUT."""
        return self._json(await self.request("PUT", path, json=body))

    async def patch(self, path: str, body: Any) -> Any:
        """The JSON answer to a PATCH that sets values."""
        return self._json(await self.request("PATCH", path, json=body))

    async def delete(self, path: str) -> None:
        """Delete. A 404 to a repeated request is the answer that an earlier one did it."""
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            try:
                await self._once("DELETE", path)
            except ModelyardError as error:
                if error.status != httpx.codes.NOT_FOUND or attempts == 1:
                    raise

        await self.repeated(attempt)

    async def pages(
        self, path: str, params: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> AsyncIterator[Json]:
        """The items of a list, page by page, at most `limit`."""
        given = {key: value for key, value in (params or {}).items() if value is not None}
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = {"limit": _PAGE if left is None else min(left, _PAGE)}
            page = await self.get(path, given | size | ({"cursor": cursor} if cursor else {}))
            items = page["items"][: size["limit"]]
            for item in items:
                yield item
            left = None if left is None else left - len(items)
            cursor = page.get("next")
            if not cursor:
                return

    async def text(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """A text answer whole."""
        return (await self.request("GET", path, params=params)).text

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The answer, read whole. A body that is a callable is called anew for each attempt and gives the chunks to send.

        Raises:
            ModelyardError: the answer was a problem.
            UnreachableError: nobody answered in time.
        """
        return await self.repeated(lambda: self._once(method, path, **arguments))

    async def repeated(self, attempt: Waiting[T]) -> T:
        """What `attempt` gives, tried again while Modelyard is away."""
        began: float | None = None
        delay, told = _FIRST_DELAY_S, False
        while True:
            try:
                return await attempt()
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
            await asyncio.sleep(delay * random.uniform(0.7, 1.0))  # noqa: S311 - spreads clients, hides nothing
            delay = min(2 * delay, _LONGEST_DELAY_S)

    @asynccontextmanager
    async def opened(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        quiet_s: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to be read, once: who reads it repeats. `quiet_s`: the longest silence allowed.

        Raises:
            ModelyardError: the answer was a problem.
            httpx.TransportError: nobody answered, or stopped answering.
        """
        timeout = _TIMEOUT if quiet_s is None else httpx.Timeout(quiet_s, connect=5.0)
        async with self._http.stream(
            "GET", self.prefix + path, params=params, headers=headers, timeout=timeout
        ) as answer:
            if not answer.is_success:
                await answer.aread()
                raise problem_of(answer)
            yield answer

    async def _once(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        body = arguments.pop("content", None)
        answer = await self._http.request(
            method, self.prefix + path, content=body() if callable(body) else body, **arguments
        )
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
