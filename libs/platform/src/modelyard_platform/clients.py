"""Calls from one service to another: with a signed identity and the cause of the change, problems raised as errors, retries bounded."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httpx

from modelyard_platform import identity
from modelyard_platform.cause import Cause, Identity
from modelyard_platform.errors import UnavailableError, from_problem

_DELAYS_S: Final = (0.1, 0.3, 1.0, 2.0)
_TIMEOUT: Final = httpx.Timeout(30.0, connect=3.0)
_SAFE: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})


class ServiceClient:
    """Speaks to one other service, as `service:<name>`, for a workspace.

    A request that cannot have had an effect (nobody answered the connection) or may be repeated (GET, PUT, DELETE, or one
    with an idempotency key) is retried up to four times within about four seconds. Raises PlatformError as the other
    service said it, UnavailableError when it does not answer.
    """

    def __init__(self, base_url: str, *, service: str, identity_key: str) -> None:
        self._service = service
        self._key = identity_key
        self._http = httpx.AsyncClient(base_url=base_url, timeout=_TIMEOUT)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, *, workspace: str = "default", params: dict[str, Any] | None = None) -> Any:
        """The JSON answer to a GET."""
        return await self.request("GET", path, workspace=workspace, params=params)

    async def request(
        self,
        method: str,
        path: str,
        *,
        workspace: str = "default",
        cause: Cause | None = None,
        body: Any = None,
        params: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The JSON answer (None when empty). With `cause`, the change is made in its name and workspace."""
        actor = cause.actor if cause else f"service:{self._service}"
        who = Identity(actor=actor, role="service", workspace=cause.workspace if cause else workspace)
        headers = {"Authorization": f"Bearer {identity.sign(self._key, who, issuer=self._service)}"}
        if cause:
            headers |= cause.headers()
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]  # a reason need not be ASCII
        repeatable = method in _SAFE or idempotency_key is not None
        for delay in (*_DELAYS_S, None):
            try:
                answer = await self._http.request(
                    method,
                    path,
                    json=body,
                    params=params,
                    headers=encoded,
                    timeout=timeout_s or httpx.USE_CLIENT_DEFAULT,
                )
            except httpx.TransportError as error:
                if delay is None or not (repeatable or isinstance(error, httpx.ConnectError)):
                    raise UnavailableError(f"{self._http.base_url} does not answer: {error!r}") from error
            else:
                if answer.status_code not in (502, 503, 504) or not repeatable or delay is None:
                    return _read(answer)
            await asyncio.sleep(delay)
        raise AssertionError("unreachable")


def _read(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise from_problem(answer.status_code, problem if isinstance(problem, dict) else {})
