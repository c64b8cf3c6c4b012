"""Health and metrics of the edge, on loopback: `/healthz`, `/readyz`, `/metrics` (the agent's, then HAProxy's own)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web


@dataclass(frozen=True, slots=True)
class Status:
    """How the edge is. `complete`: a table of routes is known; `error`: why the newest one could not be applied."""

    haproxy: int | None
    complete: bool
    nats: bool
    error: str | None
    reloads: int
    endpoints: int
    replicas: int
    refused: int


async def serve_admin(status: Callable[[], Status], haproxy_metrics: Path, port: int) -> web.AppRunner:
    """Starts to answer on 127.0.0.1:`port`; `cleanup()` of what is returned ends it.

    `haproxy_metrics` is the Unix socket on which HAProxy answers with its metrics.
    """
    app = web.Application()

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        """Ready with HAProxy running on a table that is known.

        NATS being away is said, and is no reason not to serve.
        """
        now = status()
        reasons = [] if now.haproxy else ["HAProxy does not run"]
        if not now.complete:
            reasons.append("no table of routes yet: NATS does not answer, and none was kept")
        if now.error:
            reasons.append(now.error)
        document: dict[str, Any] = {
            "ready": not reasons,
            "nats": now.nats,
            "haproxy": now.haproxy,
            "reasons": reasons,
        }
        return web.json_response(document, status=503 if reasons else 200)

    async def metrics(_: web.Request) -> web.Response:
        now = status()
        own = {
            "modelyard_edge_reloads_total": now.reloads,
            "modelyard_edge_endpoints": now.endpoints,
            "modelyard_edge_replicas": now.replicas,
            "modelyard_edge_refused_entries": now.refused,
            "modelyard_edge_nats_connected": int(now.nats),
            "modelyard_edge_haproxy_up": int(now.haproxy is not None),
        }
        lines = "".join(
            f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}\n{name} {value}\n"
            for name, value in own.items()
        )
        return web.Response(text=lines + await _haproxy_metrics(haproxy_metrics), content_type="text/plain")

    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    return runner


async def _haproxy_metrics(socket: Path) -> str:
    connector = aiohttp.UnixConnector(str(socket))
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=2)) as session,
            session.get("http://haproxy/metrics") as answer,
        ):
            return await answer.text()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ""
