"""The agent: follows the routes, keeps HAProxy's configuration like them, keeps HAProxy alive."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
from pathlib import Path
from time import monotonic
from typing import Any, Final

import orjson

from edge.api import Status, serve_admin
from edge.clients.haproxy import Haproxy, HaproxyError
from edge.domain.configuration import Front, render
from edge.domain.routes import RouteTable, parse
from edge.settings import EdgeSettings
from edge.subscribers import Routes

log = logging.getLogger(__name__)

QUIET_S: Final = 0.03
"""A change waits this long for others: a deployment's replicas come and go together."""
RETRY_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)


class Agent:
    """One edge. `run` returns after SIGTERM or SIGINT, with HAProxy ended."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.settings = settings
        data_dir = settings.data_dir.absolute()
        data_dir.mkdir(parents=True, exist_ok=True)
        self._kept = data_dir / "routes.json"
        self.haproxy = Haproxy(data_dir)
        self._front = Front(
            host=settings.host,
            port=settings.port,
            gateway=settings.gateway_url,
            run=self.haproxy.run,
            files=self.haproxy.files,
            threads=settings.threads,
            connections=_connections(),
        )
        self._dirty = asyncio.Event()
        table, origin = _load(self._kept)
        self.routes = Routes(table, origin, self._dirty.set)
        self.reloads = 0
        self.failures = 0
        self.error: str | None = None
        self._applied: dict[str, str] = {}

    async def run(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        log.info(
            "edge on %s:%d, %s HAProxy, %d routes known",
            self.settings.host,
            self.settings.port,
            "taking over the running" if self.haproxy.adopted else "starting",
            len(self.routes.table.keys()),
        )
        self._dirty.set()
        admin = await serve_admin(self.status, self.haproxy.run / "metrics.sock", self.settings.admin_port)
        tasks = [
            asyncio.create_task(self._keep_applied(), name="apply"),
            asyncio.create_task(self._keep_alive(), name="keep alive"),
            asyncio.create_task(self.routes.follow(self.settings.nats_url), name="follow"),
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # none of them ends by itself: what ended one is raised
        finally:
            await _cancel({stopping, *tasks})
            await admin.cleanup()
            await self.haproxy.stop()

    def status(self) -> Status:
        """How the edge is now."""
        table = self.routes.table
        return Status(
            haproxy=self.haproxy.pid,
            complete=self.routes.complete,
            nats=self.routes.connected(),
            error=self.error,
            reloads=self.reloads,
            endpoints=len(table.endpoints),
            replicas=len(table.replicas),
            refused=len(self.routes.refused),
        )

    async def _keep_applied(self) -> None:
        """Applies the table whenever it has changed, at most some times a second.

        What HAProxy refuses is tried again, later and later.
        """
        while True:
            await self._dirty.wait()
            await asyncio.sleep(QUIET_S)
            self._dirty.clear()
            if await self._apply():
                self.failures = 0
            else:
                delay = RETRY_S[min(self.failures, len(RETRY_S) - 1)]
                self.failures += 1
                asyncio.get_running_loop().call_later(delay, self._dirty.set)

    async def _apply(self) -> bool:
        files = render(self.routes.table, self._front)
        if files == self._applied and self.haproxy.alive():
            return True
        started = monotonic()
        try:
            _keep(
                self._kept, self.routes.table, self.routes.origin
            )  # first: an edge that ends now starts with what it served
            await self.haproxy.apply(files)
        except (HaproxyError, OSError) as error:
            self.error = str(error)
            log.error("configuration not applied, the one before it stays: %s", error)  # noqa: TRY400 the text says it all
            return False
        self._applied = files
        self.error = None
        self.reloads += 1
        table = self.routes.table
        log.info(
            "%d endpoints, %d replicas applied in %.0f ms",
            len(table.endpoints),
            len(table.replicas),
            (monotonic() - started) * 1000,
        )
        return True

    async def _keep_alive(self) -> None:
        """Has HAProxy started again when it ends."""
        while True:
            if self.haproxy.pid is not None:
                await self.haproxy.ended(self._ended)
            await asyncio.sleep(0.1)

    def _ended(self) -> None:
        log.error("HAProxy has ended: starting it again")
        self._dirty.set()


async def _cancel(tasks: set[asyncio.Task[Any]]) -> None:
    """Cancels, again where it must: before Python 3.12 `wait_for` loses a cancellation that meets its result."""
    for _ in range(3):
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1)
        if not tasks:
            return


def _connections() -> int:
    """The most clients HAProxy may take: each costs two file descriptors, of those this process may open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 16_384 if most == resource.RLIM_INFINITY else max(64, min(16_384, (most - 256) // 2))


def _load(file: Path) -> tuple[RouteTable, str | None]:
    """The table as it was when last applied; an empty one when there is none, or none that can be read."""
    try:
        kept: dict[str, Any] = json.loads(file.read_text())
        table, refused = parse(kept["entries"], orjson.dumps)
        origin: str | None = kept["origin"]
    except FileNotFoundError:
        return RouteTable(), None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s cannot be read, starting without it: %s", file, error)
        return RouteTable(), None
    for reason in refused:
        log.warning("kept entry refused: %s", reason)
    return table, origin


def _keep(file: Path, table: RouteTable, origin: str | None) -> None:
    temporary = file.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(orjson.dumps({"origin": origin, "entries": table.dump()}))
    temporary.replace(file)
