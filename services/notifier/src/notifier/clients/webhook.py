"""Webhooks over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from notifier.domain.deliveries import Attempt, Refused, Result, Sent
from notifier.domain.signing import body_of, headers_of

_GONE: Final = 410
_SHOWN: Final = 200
"""So many bytes of a refusal's answer are kept, for whoever looks for the reason."""


class Webhook:
    """Posts events. As Standard Webhooks says: any 2xx is a success, a redirect is not followed and is a failure like any
    other status, and 410 Gone means that the receiver wants no more."""

    def __init__(self, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            follow_redirects=False,
            headers={"user-agent": "Modelyard"},
            limits=httpx.Limits(max_connections=None),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, attempt: Attempt) -> Result:
        """One attempt, bounded in time as a whole."""
        to = attempt.subscription
        body = body_of(attempt.envelope, to.format)
        return await self.post(to.url, body, headers_of(attempt.delivery.id, datetime.now(UTC), body, to.secret))

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Result:
        """One request, bounded in time as a whole."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._http.stream("POST", url, content=body, headers=headers) as answer,
            ):
                if answer.is_success:
                    return Sent()
                said = b""
                async for chunk in answer.aiter_bytes():
                    said += chunk
                    if len(said) >= _SHOWN:
                        break
        except TimeoutError:
            return Refused(f"no whole answer within {self._timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Refused(f"{type(error).__name__}: {error}")
        detail = f"HTTP {answer.status_code}"
        if answer.is_redirect:
            detail += ": redirects are not followed; subscribe with the address it leads to"
        elif text := said[:_SHOWN].decode(errors="replace").strip():
            detail += f": {text}"
        return Refused(detail, after_s=_retry_after_s(answer), gone=answer.status_code == _GONE)


def _retry_after_s(answer: httpx.Response) -> float:
    """`Retry-After` in seconds (it may be a number or a date; RFC 9110, 10.2.3); 0 without a readable one."""
    value = answer.headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
