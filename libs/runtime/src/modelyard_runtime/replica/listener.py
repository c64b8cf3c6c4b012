"""The replica's own listener: a uvloop on a thread of its own, bound to a free port."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from time import monotonic
from typing import Any

import uvloop

from modelyard_runtime.replica.http import Connection, Connections, Handler, Limits
from modelyard_runtime.replica.metrics import Metrics


class Listener:
    """Answers HTTP with `handler` once `open` was called. `run` runs a coroutine on the same loop and waits for it."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="replica-listener", daemon=True)
        self._thread.start()
        self._server: asyncio.AbstractServer | None = None
        self._connections: Connections | None = None
        self.host = ""
        self.port = 0

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """The coroutine's result; its exceptions are raised here. Raises TimeoutError after `timeout_s` seconds."""
        coming = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return coming.result(timeout_s)
        except TimeoutError:
            coming.cancel()
            raise

    def open(self, host: str, handler: Handler, headers: bytes, limits: Limits, metrics: Metrics) -> int:
        """Binds a free port of `host` and starts to answer; returns the port."""

        async def bind() -> int:
            connections = Connections(self._loop, handler, headers, limits, metrics)
            bound = socket.create_server((host, 0), backlog=1024)
            self._server = await self._loop.create_server(lambda: Connection(connections), sock=bound)
            self._connections = connections
            return int(bound.getsockname()[1])

        self.host = host
        self.port = self.run(bind(), 10)
        return self.port

    def drain(self, settle_s: float, timeout_s: float) -> int:
        """Stops gently: for `settle_s` seconds late requests are still answered (each on a connection that then
        closes), then nothing new is accepted, and what is under way has the rest of `timeout_s` seconds. Returns
        the number of connections cut off."""

        async def gently() -> int:
            connections = self._connections
            if connections is None or self._server is None:
                return 0
            until = monotonic() + timeout_s
            connections.draining = True
            await asyncio.sleep(min(settle_s, timeout_s))
            self._server.close()
            connections.end_all()
            while len(connections) and monotonic() < until:  # noqa: ASYNC110 bounded, and only when stopping
                await asyncio.sleep(0.02)
            connections.stop()
            return len(connections)

        return int(self.run(gently(), timeout_s + 5))

    def stop(self) -> None:
        """Ends the loop and its thread, whatever is still open."""
        if self._thread.is_alive():
            self.run(self._end(), 5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
        if not self._thread.is_alive() and not self._loop.is_closed():
            self._loop.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._connections is not None:
            self._connections.stop()
            self._connections.abort_all()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets aborted transports tell their protocols
