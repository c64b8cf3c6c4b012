"""The work beside requests and events. Every piece is claimed with a lease, so that a killed process's work is taken up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from scheduler.clients.bell import Bell

log = logging.getLogger(__name__)

_IDLE_S: Final = 2.0
_FAILED_S: Final = 2.0


async def drain(name: str, bell: Bell, one: Callable[[], Awaitable[bool]]) -> None:
    """Do one piece after the other while there are any, then wait for the bell; until cancelled."""
    while True:
        try:
            busy = await one()
        except Exception:
            log.exception(
                "a piece of work failed; it is taken up again when its lease has run out", extra={"worker": name}
            )
            await asyncio.sleep(_FAILED_S)
            continue
        if not busy:
            await bell.wait(name, _IDLE_S)


async def repeat(name: str, bell: Bell, every_s: float, look: Callable[[], Awaitable[None]]) -> None:
    """Look again and again, and at once when the bell rings; until cancelled."""
    while True:
        await bell.wait(name, every_s)
        try:
            await look()
        except Exception:
            log.exception("a look round failed", extra={"worker": name})
            await asyncio.sleep(_FAILED_S)
