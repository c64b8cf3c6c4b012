"""Requests that may be sent twice. A client that lost the answer sends the same `Idempotency-Key` again and gets the same answer.

Source: IETF draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection
from modelyard_platform.errors import ConflictError

HEADER: Final = "Idempotency-Key"

_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 0))"
_GET: Final = "select actor, request, response from idempotency where workspace = $1 and key = $2"
_INSERT: Final = "insert into idempotency (workspace, key, actor, request, response) values ($1, $2, $3, $4, $5)"


def _digest(request: Any) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()


async def answered(tx: Connection, cause: Cause, key: str | None, request: Any) -> dict[str, Any] | None:
    """What this key's request was answered before, or None for a new one. A second request under the same key waits for the first to end.

    Raises ConflictError when the key was used by somebody else or for another request.
    """
    if key is None:
        return None
    await tx.execute(_LOCK, cause.workspace, key)
    row = await tx.fetchrow(_GET, cause.workspace, key)
    if row is None:
        return None
    if row["actor"] != cause.actor or row["request"] != _digest(request):
        raise ConflictError(
            f"the {HEADER} {key!r} was used for another request; use a new one for each request",
            code="idempotency_key_reused",
        )
    response: dict[str, Any] = row["response"]
    return response


async def remember(tx: Connection, cause: Cause, key: str | None, request: Any, response: dict[str, Any]) -> None:
    """Keep the answer with the change it tells of."""
    if key is not None:
        await tx.execute(_INSERT, cause.workspace, key, cause.actor, _digest(request), response)
