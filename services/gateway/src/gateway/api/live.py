"""The live event stream, and the dead letters."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import StreamingResponse
from nats.aio.client import Client as Nats
from nats.errors import ConnectionClosedError
from nats.errors import Error as NatsError
from nats.js.api import ConsumerConfig, DeliverPolicy
from pydantic_core import from_json

from gateway.api.parts import Caller, Wired
from modelyard_contracts import short_type
from modelyard_platform import dead_letters
from modelyard_platform.cause import Identity
from modelyard_platform.errors import ForbiddenError, InvalidError

router = APIRouter(prefix="/api/v1")

Sequence = Annotated[int, Path(ge=1, lt=1 << 63, description="the letter's number")]

_HEARTBEAT_S: Final = 15.0
_DIGITS: Final = 18
"""Of a place in the stream, at most."""
_FIRST: Final = "default"
"""The workspace whose owners look after the installation."""


@router.get("/events/stream", tags=["events"], response_class=StreamingResponse)
async def stream(
    parts: Wired,
    caller: Caller,
    type: Annotated[list[str] | None, Query(description="`drift.*`; may be repeated")] = None,  # noqa: A002
    subject: Annotated[list[str] | None, Query(description="`endpoints/*`; may be repeated")] = None,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID")] = None,
    since: Annotated[str | None, Query(description="the id of the last event seen; `0` for all that is kept")] = None,
) -> StreamingResponse:
    """Events as they happen (server-sent events, CloudEvents as data). A client that comes back with `Last-Event-ID` misses none."""
    start = last_event_id or since
    if start is not None and not (start.isascii() and start.isdigit() and len(start) <= _DIGITS):
        raise InvalidError("the last event's id is a number that this stream gave", path="since")
    messages = _follow(parts.nats, caller.workspace, type or ["*"], subject or ["*"], start)
    return StreamingResponse(
        messages, media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


async def _follow(
    nats: Nats, workspace: str, types: list[str], subjects: list[str], start: str | None
) -> AsyncIterator[bytes]:
    config = ConsumerConfig(deliver_policy=DeliverPolicy.NEW)
    if start is not None:
        config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=int(start) + 1)
    subscription = await nats.jetstream().subscribe(f"modelyard.{workspace}.>", ordered_consumer=True, config=config)
    yield b": connected\n\n"
    try:
        while True:
            try:
                message = await subscription.next_msg(timeout=_HEARTBEAT_S)
            except ConnectionClosedError:
                return  # the gateway is ending; the client comes back with the last id it saw
            except (TimeoutError, NatsError):
                yield b": still here\n\n"
                continue
            event = from_json(message.data)
            name = short_type(event["type"])
            if any(fnmatchcase(name, kind) for kind in types) and any(
                fnmatchcase(event["subject"], of) for of in subjects
            ):
                yield f"id: {message.metadata.sequence.stream}\nevent: {name}\ndata: {message.data.decode()}\n\n".encode()
    finally:
        with suppress(NatsError):
            await subscription.unsubscribe()


def _require_keeper(caller: Identity) -> None:
    """Dead letters are of every workspace, and hold what they told each other."""
    if not caller.may("owner"):
        raise ForbiddenError(f"{caller.actor} has the role {caller.role}; this needs owner")
    if caller.workspace != _FIRST:
        raise ForbiddenError(
            f"an owner of the workspace {_FIRST!r} looks after dead letters; this token is of {caller.workspace!r}"
        )


@router.get("/dead-letters", tags=["events"])
async def list_dead_letters(
    parts: Wired, caller: Caller, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> dict[str, Any]:
    """Messages that could not be handled, newest first, each with its reason."""
    _require_keeper(caller)
    letters = await dead_letters.newest(parts.nats.jetstream(), limit)
    return {"items": [asdict(letter) for letter in letters], "next": None}


@router.post("/dead-letters/{sequence}/replay", tags=["events"])
async def replay(sequence: Sequence, parts: Wired, caller: Caller) -> dict[str, Any]:
    """Send a message again to where it failed, once the reason is mended."""
    _require_keeper(caller)
    return asdict(await dead_letters.replay(parts.nats.jetstream(), sequence))
