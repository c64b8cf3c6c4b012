"""Applications on real ports, for tests in which one service speaks to another."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from modelyard_testing.conditions import eventually

if TYPE_CHECKING:
    from fastapi import FastAPI


@asynccontextmanager
async def served(app: "FastAPI") -> AsyncIterator[str]:
    """The application on a free port of its own; gives its URL once it has started."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve([listener]))

    async def started() -> bool:
        if task.done():
            task.result()
            raise RuntimeError("the application ended while it started")
        return server.started

    await eventually(started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
