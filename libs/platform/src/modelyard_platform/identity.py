"""Short-lived signed identities (JWT, HS256), made by the gateway and by services that act on their own."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, Final

import jwt

from modelyard_platform.cause import ROLES, Identity
from modelyard_platform.errors import UnauthenticatedError

LIFETIME_S = 300
"""An identity between services lives this long."""

_LEEWAY_S: Final = 5


def sign(
    key: str, identity: Identity, *, issuer: str, lifetime_s: int = LIFETIME_S, audience: str | None = None
) -> str:
    """Vouch for a caller. With `audience="gateway"` the result is a token for user code, such as a step's."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": identity.actor,
        "role": identity.role,
        "workspace": identity.workspace,
        "iat": now,
        "exp": now + lifetime_s,
    }
    if audience is not None:
        claims["aud"] = audience
    return jwt.encode(claims, key, algorithm="HS256")


def verify(key: str, token: str, *, audience: str | None = None) -> Identity:
    """Whom a token vouches for. Raises UnauthenticatedError when it is malformed, expired, not ours, or for another audience."""
    try:
        claims = _claims(key, token, audience)
    except jwt.ExpiredSignatureError as error:
        raise _expired() from error
    except jwt.InvalidTokenError as error:
        raise UnauthenticatedError("the token is not valid here", code="token_invalid") from error
    if claims["exp"] <= time.time() - _LEEWAY_S:
        raise _expired()
    role = claims.get("role")
    if role not in ROLES:
        raise UnauthenticatedError("the token names no known role", code="token_invalid")
    return Identity(actor=claims["sub"], role=role, workspace=claims.get("workspace", "default"))


def _expired() -> UnauthenticatedError:
    return UnauthenticatedError("the token has expired; ask for a new one", code="token_expired")


@lru_cache(maxsize=1024)
def _claims(key: str, token: str, audience: str | None) -> dict[str, Any]:
    """What a token says, its signature verified once: callers send the same one for minutes. Whoever asks looks at its end each time."""
    return jwt.decode(
        token,
        key,
        algorithms=["HS256"],
        audience=audience,
        leeway=_LEEWAY_S,
        options={"require": ["exp", "sub", "iss"], "verify_aud": True},
    )


def looks_signed(token: str) -> bool:
    """Whether a token has the form of a signed identity (three dotted parts), as opposed to an opaque personal token."""
    return token.count(".") == 2
