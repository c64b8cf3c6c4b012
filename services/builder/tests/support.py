"""What the builder's tests share: a registry that answers with given versions, and a client."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx

from modelyard_contracts import Event, EventData, full_type
from modelyard_platform.cause import Role
from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer

Start: TypeAlias = Callable[..., AbstractAsyncContextManager["Client"]]
Publish: TypeAlias = Callable[..., Awaitable[Event[Any]]]


@dataclass
class Registry:
    """Stands in for the neighbouring service: versions by path, as `models/m/versions/1`."""

    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, path: str, **document: Any) -> None:
        self.versions[path] = {"spec": {}, "tree": None, "environment": None, "sample": None} | document

    @contextmanager
    def up(self) -> Iterator[Registry]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = registry.versions.get(self.path.removeprefix("/api/v1/"))
                if registry.failures:
                    registry.failures -= 1
                    status, body = 500, {"detail": "out of order", "code": "internal"}
                elif found is None:
                    status, body = 404, {"detail": f"there is no {self.path}", "code": "asset_not_found"}
                else:
                    status, body = 200, found
                payload = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None:
                return None

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join(10)


class Client(httpx.AsyncClient):
    """Speaks to the builder as somebody."""

    def be(self, role: Role) -> Client:
        self.headers.update(bearer(role, "user:tester"))
        return self

    async def lock(self, spec: Any) -> httpx.Response:
        return await self.post("/api/v1/environment-locks", json={"spec": spec})

    async def converted(self, model: str, version: str, within_s: float = 20) -> dict[str, Any]:
        """The conversion once it is no longer pending."""

        async def ended() -> dict[str, Any] | None:
            answer = await self.get("/api/v1/conversions", params={"model": model, "version": version})
            items: list[dict[str, Any]] = answer.json()["items"]
            return items[0] if items and items[0]["status"] != "pending" else None

        found = await eventually(ended, within_s=within_s)
        assert found is not None
        return found


def make_event(data: EventData, **members: Any) -> Event[Any]:
    base: dict[str, Any] = {
        "id": uuid4(),
        "source": "/modelyard/registry",
        "type": full_type(data.TYPE),
        "subject": data.subject,
        "time": datetime.now(UTC),
        "workspace": "default",
        "actor": "user:tester",
        "correlationid": "story",
        "sequence": 1,
        "data": data,
    }
    return Event[Any](**(base | members))


async def told(dsn: str, count: int = 1) -> list[dict[str, Any]]:
    """The events that the builder has made, in order, once there are `count`."""
    connection = await asyncpg.connect(dsn)

    async def enough() -> list[dict[str, Any]]:
        rows = await connection.fetch("select envelope from outbox order by position")
        return [json.loads(row["envelope"]) for row in rows] if len(rows) >= count else []

    try:
        return await eventually(enough)
    finally:
        await connection.close()
