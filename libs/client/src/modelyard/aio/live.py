# Generated from modelyard.api.live by libs.client.generate_async: do not edit.
"""Server-sent events, followed across interruptions (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx

from modelyard.aio.http import Http
from modelyard.api.http import log
from modelyard.api.live import _AWAY, _DELAYS_S, _QUIET_S, _SOUND_S, Parser, ServerEvent
from modelyard.errors import ModelyardError, UnreachableError


async def follow(
    http: Http, path: str, params: Mapping[str, Any], *, on_connect: Callable[[], None] = lambda: None
) -> AsyncIterator[ServerEvent]:
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
            async with http.opened(path, params=params, headers=headers, quiet_s=_QUIET_S) as answer:
                opened_at = time.monotonic()
                on_connect()
                parser = Parser()
                async for chunk in answer.aiter_bytes():
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
        await asyncio.sleep(_DELAYS_S[min(failures, len(_DELAYS_S) - 1)] * random.uniform(0.7, 1.0))  # noqa: S311 - spreads clients
        failures += 1
