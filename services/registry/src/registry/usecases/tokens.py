"""Personal tokens: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from modelyard_contracts.workspaces import TokenCreated, TokenRevoked
from modelyard_platform import outbox
from modelyard_platform.cause import Cause, Identity
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import ConflictError, NotFoundError, UnauthenticatedError
from registry.domain.assets import check_name
from registry.store import tokens
from registry.usecases.assets import SOURCE


def hash_token(token: str) -> str:
    """What is kept of a token. Tokens are 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """256 random bits."""
    return f"my_{secrets.token_urlsafe(32)}"


async def ensure_owner(pool: Pool, sha256: str) -> None:
    """Let the first owner in; does nothing when the token is known already."""
    async with transaction(pool) as tx:
        await tokens.insert_token(
            tx, "default", sha256=sha256, name="owner", role="owner", created_by="service:registry", expires_at=None
        )


async def verify_token(pool: Pool, token: str) -> Identity:
    """Whose token this is. Raises UnauthenticatedError."""
    async with transaction(pool) as tx:
        identity = await tokens.find_identity(tx, hash_token(token))
    if identity is None:
        raise UnauthenticatedError("the token is not known, or has expired or been revoked", code="token_unknown")
    return identity


async def create_token(pool: Pool, cause: Cause, name: str, role: str, days: int | None) -> dict[str, Any]:
    """A new token, shown this once. Raises ConflictError when the name is taken."""
    check_name(name)
    token = new_token()
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    async with transaction(pool) as tx:
        new = await tokens.insert_token(
            tx,
            cause.workspace,
            sha256=hash_token(token),
            name=name,
            role=role,
            created_by=cause.actor,
            expires_at=expires_at,
        )
        if not new:
            raise ConflictError(
                f"there is a token named {name!r}; delete it first or choose another name", code="token_exists"
            )
        await outbox.add(tx, SOURCE, TokenCreated(token=name, role=role), cause)
    return {"name": name, "role": role, "token": token, "expires_at": expires_at.isoformat() if expires_at else None}


async def revoke_token(pool: Pool, cause: Cause, name: str) -> None:
    """End a token. The gateway may honour it for some seconds more, as long as its cache lives."""
    async with transaction(pool) as tx:
        if not await tokens.delete_token(tx, cause.workspace, name):
            raise NotFoundError(f"there is no token named {name!r}")
        await outbox.add(tx, SOURCE, TokenRevoked(token=name), cause)
