"""What the notifier's tests share: a receiver that keeps what it is sent, a client, events."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Flag
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
class Heard:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers with `statuses` one after the other, then with 204. `hold` keeps answers back until it is set."""

    port: int = 0
    heard: list[Heard] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    hold: Flag | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def up(self) -> Iterator[Receiver]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.heard.append(Heard(self.path, headers, body))
                if receiver.hold is not None:
                    receiver.hold.wait(30)
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return None

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            if self.hold is not None:
                self.hold.set()
            server.shutdown()
            server.server_close()
            thread.join(10)


class Client(httpx.AsyncClient):
    """Speaks to the notifier as somebody."""

    def be(self, role: Role) -> Client:
        self.headers.update(bearer(role, "user:tester"))
        return self

    async def subscribe(self, name: str, **spec: Any) -> dict[str, Any]:
        answer = await self.put(f"/api/v1/subscriptions/{name}", json={"spec": spec})
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def deliveries(self, name: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.get(f"/api/v1/subscriptions/{name}/deliveries")).json()["items"]
        return items


def make_event(data: EventData, **members: Any) -> Event[Any]:
    base: dict[str, Any] = {
        "id": uuid4(),
        "source": "/modelyard/test",
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


async def finished(client: Client, name: str, count: int = 1) -> list[dict[str, Any]]:
    """A subscription's deliveries that are no longer pending, newest first, once there are `count`."""

    async def enough() -> list[dict[str, Any]]:
        found = [delivery for delivery in await client.deliveries(name) if delivery["status"] != "pending"]
        return found if len(found) >= count else []

    return await eventually(enough)


async def heard(receiver: Receiver, count: int = 1) -> list[Heard]:
    """What the receiver was sent, once it is `count` requests."""

    async def enough() -> list[Heard]:
        return list(receiver.heard) if len(receiver.heard) >= count else []

    return await eventually(enough)


async def told(dsn: str, entity: str = "alert") -> list[dict[str, Any]]:
    """The events of an entity that the notifier itself has made, in order."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            "select envelope from outbox where type like $1 || '.%' order by position", entity
        )
    finally:
        await connection.close()
    return [json.loads(row["envelope"]) for row in rows]
