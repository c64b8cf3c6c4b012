"""What the routes share: the parts they were wired with, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request
from nats.aio.client import Client as Nats

from gateway.clients import Tokens, Upstreams
from modelyard_platform import identity
from modelyard_platform.cause import Identity
from modelyard_platform.errors import ForbiddenError, UnauthenticatedError

SESSION: Final = "modelyard_session"
SESSION_AUDIENCE: Final = "page"
STEP_AUDIENCE: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application was wired with."""

    key: str
    upstreams: Upstreams
    tokens: Tokens
    nats: Nats
    session_hours: int


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]


async def _caller(request: Request, parts: Wired) -> Identity:
    """By a personal token, a step's own token, or (for reading only) a browser's session."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer" if identity.looks_signed(token):
            return identity.verify(parts.key, token, audience=STEP_AUDIENCE)
        case "bearer" if token:
            return await parts.tokens.verify(token)
        case "" if SESSION in request.cookies:
            if request.method not in ("GET", "HEAD"):
                raise ForbiddenError("a browser's session may only read; send a token to change something")
            return identity.verify(parts.key, request.cookies[SESSION], audience=SESSION_AUDIENCE)
        case _:
            raise UnauthenticatedError("send Authorization: Bearer with your token")


Caller = Annotated[Identity, Depends(_caller)]
