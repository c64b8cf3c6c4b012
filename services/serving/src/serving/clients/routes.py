"""The `routes` bucket: what the edges follow. Endpoints are written by serving, replicas announce themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import KeyWrongLastSequenceError
from nats.js.errors import NotFoundError as MissingError
from nats.js.kv import KeyValue

BUCKET: Final = "routes"
_STREAM: Final = f"KV_{BUCKET}"
_PREFIX: Final = f"$KV.{BUCKET}."


@dataclass(frozen=True, slots=True)
class Told:
    """An entry and the bucket's revision of it."""

    entry: dict[str, Any]
    revision: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """One replica, as it announced itself under `key`."""

    key: str
    revision: int
    endpoint: str
    deployment: str
    host: str
    port: int
    generation: int
    pid: int


class Routes:
    """Reads and writes the bucket. Every method raises nats' errors (OSError, TimeoutError or its own) when NATS does not answer.

    Reading asks for the subjects and then for each message: a watch would leave a consumer behind on the server for minutes.
    """

    def __init__(self, jetstream: Callable[[], JetStreamContext]) -> None:
        self._jetstream = jetstream

    async def put_endpoint(self, route: dict[str, Any]) -> None:
        """Tell the edges of an endpoint."""
        await (await self._bucket()).put(f"endpoint.{route['name']}", _encode(route))

    async def remove_endpoint(self, name: str, revision: int | None = None) -> None:
        """The endpoint answers no more. With `revision`, only if its entry is still that one."""
        with suppress(KeyWrongLastSequenceError):
            await (await self._bucket()).delete(f"endpoint.{name}", last=revision)

    async def endpoints(self) -> dict[str, Told]:
        """What the edges have been told, by endpoint."""
        return {
            key.removeprefix("endpoint."): Told(_decode(message.data), message.seq or 0)
            async for key, message in self._messages("endpoint.*")
            if not _removed(message)
        }

    async def replicas(self, endpoint: str = "*", deployment: str = "*") -> list[Announcement]:
        """The replicas that have announced themselves. Entries that are none are passed over."""
        found = []
        async for key, message in self._messages(f"replica.{endpoint}.{deployment}.*"):
            _, owner, name, _ = key.split(".", 3)
            value = _decode(message.data)
            try:
                where = str(value["host"]), int(value["port"])
                found.append(
                    Announcement(
                        key, message.seq or 0, owner, name, *where, int(value["generation"]), int(value["pid"])
                    )
                )
            except (KeyError, TypeError, ValueError):
                continue
        return found

    async def remove_replica(self, replica: Announcement) -> None:
        """Take back what a dead replica no longer can, unless its entry has changed meanwhile."""
        with suppress(KeyWrongLastSequenceError):
            await (await self._bucket()).delete(replica.key, last=replica.revision)

    async def forget_removed(self, older_than: timedelta) -> None:
        """Drop the marks that removed entries leave for the edges: every replica has a key of its own, they would add up."""
        before = datetime.now(UTC) - older_than
        async for key, message in self._messages(">"):
            if _removed(message) and message.time is not None and message.time < before:
                await self._jetstream().purge_stream(_STREAM, seq=(message.seq or 0) + 1, subject=_PREFIX + key)

    async def _bucket(self) -> KeyValue:
        return await self._jetstream().key_value(BUCKET)

    async def _messages(self, pattern: str) -> AsyncIterator[tuple[str, RawStreamMsg]]:
        jetstream = self._jetstream()
        subjects = (await jetstream.stream_info(_STREAM, subjects_filter=_PREFIX + pattern)).state.subjects or {}
        for subject in sorted(subjects):
            with suppress(MissingError):  # purged in between
                yield subject.removeprefix(_PREFIX), await jetstream.get_msg(_STREAM, subject=subject)


def _removed(message: RawStreamMsg) -> bool:
    return "KV-Operation" in (message.headers or {})


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _decode(value: bytes | None) -> dict[str, Any]:
    try:
        decoded = json.loads(value or b"")
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}
