"""Waiting for a condition, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(check: Callable[[], Awaitable[T]], *, within_s: float = 20) -> T:
    """What `check` gives, once it is true. Raises TimeoutError when it does not become so in time."""
    async with asyncio.timeout(within_s):
        while not (found := await check()):  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(0.05)
    return found
