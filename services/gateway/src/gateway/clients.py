"""The services behind the gateway: requests pass through as they are, bodies as streams."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
from pydantic_core import to_json

from gateway.domain.owners import Owner
from gateway.settings import Settings
from modelyard_platform import identity
from modelyard_platform.cause import CAUSATION_HEADER, CORRELATION_HEADER, REASON_HEADER, Identity
from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import PlatformError, UnavailableError, from_problem

_PASS_IN: Final = (
    "accept",
    "content-type",
    "content-length",
    "idempotency-key",
    "last-event-id",
    "range",
    "traceparent",
    CORRELATION_HEADER.lower(),
    CAUSATION_HEADER.lower(),
    REASON_HEADER.lower(),
)
_CAUSE: Final = frozenset(
    name.lower().encode() for name in ("traceparent", CORRELATION_HEADER, CAUSATION_HEADER, REASON_HEADER)
)
_PASS_OUT: Final = (
    "content-type",
    "content-length",
    "content-range",
    "cache-control",
    "retry-after",
    "content-disposition",
)
_UPLOADS: Final = 16
_MAX_CACHED: Final = 1024
_TIMEOUT: Final = httpx.Timeout(300.0, connect=3.0)
"""Locking an environment or reading a large file takes its time; a log that is followed says something every 15 s."""


def urls(settings: Settings) -> dict[Owner, str]:
    """Where each service is."""
    return {
        "registry": settings.registry_url,
        "builder": settings.builder_url,
        "scheduler": settings.scheduler_url,
        "serving": settings.serving_url,
        "drift-monitor": settings.drift_monitor_url,
        "notifier": settings.notifier_url,
    }


class Upstreams:
    """Passes requests to the services, in the name of whoever asked."""

    def __init__(self, settings: Settings) -> None:
        self._urls = urls(settings)
        self._key = settings.identity_key.get_secret_value()
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, limits=httpx.Limits(max_connections=256))
        self.uploads = asyncio.Semaphore(_UPLOADS)
        """Held by whoever holds a part of an upload in memory."""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(
        self,
        owner: Owner,
        who: Identity,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        headers: httpx.Headers | None = None,
        body: AsyncIterator[bytes] | bytes | None = None,
    ) -> httpx.Response:
        """The service's answer, its body not yet read. What may not stand in `path` as it is has been encoded.

        Raises UnavailableError when it does not answer.
        """
        # As bytes: a header may hold what is not ASCII.
        passed = [
            (name, value) for name, value in (headers.raw if headers else []) if name.decode().lower() in _PASS_IN
        ]
        passed.append((b"authorization", f"Bearer {identity.sign(self._key, who, issuer='gateway')}".encode()))
        url = httpx.URL(self._urls[owner]).copy_with(raw_path=path.encode() + (b"?" + query if query else b""))
        request = self._http.build_request(method, url, headers=passed, content=body)
        try:
            return await self._http.send(request, stream=True)
        except httpx.TransportError as error:
            raise UnavailableError(f"{owner} does not answer at the moment; try again") from error

    async def call(
        self,
        owner: Owner,
        who: Identity,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: dict[str, Any] | None = None,
        headers: httpx.Headers | None = None,
    ) -> Any:
        """A service's JSON answer, None for an empty one. Raises PlatformError as the service said it."""
        content = None if body is None else to_json(body)
        passed = httpx.Headers([] if headers is None else [pair for pair in headers.raw if pair[0].lower() in _CAUSE])
        passed["accept"] = "application/json"
        if content is not None:
            passed["content-type"] = "application/json"
        encoded = str(httpx.QueryParams(query or {})).encode()
        answer = await self.send(owner, who, method, path, query=encoded, headers=passed, body=content)
        try:
            await answer.aread()
        except httpx.TransportError as error:
            raise UnavailableError(f"{owner} broke off its answer; try again") from error
        finally:
            await answer.aclose()
        if answer.is_success:
            return answer.json() if answer.content else None
        raise problem_of(answer)

    async def read(self, owner: Owner, who: Identity, path: str, query: str = "") -> Any:
        """The JSON answer to a GET, for pages. Raises UnavailableError for any other answer than 200."""
        answer = await self.send(owner, who, "GET", path, query=query.encode())
        try:
            await answer.aread()
        finally:
            await answer.aclose()
        if answer.status_code != httpx.codes.OK:
            raise UnavailableError(f"{owner} answered {answer.status_code}")
        return answer.json()


def problem_of(answer: httpx.Response) -> PlatformError:
    """The error that a service's answer tells of; its body has been read."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    return from_problem(answer.status_code, problem if isinstance(problem, dict) else {})


def answer_headers(answer: httpx.Response) -> dict[str, str]:
    """The headers of a service's answer that the caller gets to see."""
    return {name: value for name, value in answer.headers.items() if name in _PASS_OUT}


class Tokens:
    """Whose token is it? The registry knows; its word is believed for some seconds."""

    def __init__(self, settings: Settings) -> None:
        self._registry = ServiceClient(
            settings.registry_url, service="gateway", identity_key=settings.identity_key.get_secret_value()
        )
        self._cache_s = settings.token_cache_s
        self._cache: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def close(self) -> None:
        """Close the connections."""
        await self._registry.close()

    async def verify(self, token: str) -> Identity:
        """Raises UnauthenticatedError for an unknown token, UnavailableError when the registry does not answer."""
        key = hashlib.sha256(token.encode()).digest()  # tokens themselves are not kept
        cached = self._cache.get(key)
        if cached is not None and cached[0] > time.monotonic():
            return cached[1]
        answer = await self._registry.request("POST", "/internal/v1/tokens/verify", body={"token": token})
        who = Identity(actor=answer["actor"], role=answer["role"], workspace=answer["workspace"])
        self._cache[key] = (time.monotonic() + self._cache_s, who)
        self._cache.move_to_end(key)
        while len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
        return who
