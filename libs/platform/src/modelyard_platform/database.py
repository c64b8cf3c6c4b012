"""PostgreSQL: the pool and transactions. Use cases open transactions; nothing else does."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

COMMAND_TIMEOUT_S = 30.0
ACQUIRE_TIMEOUT_S = 10.0


class _Connection(asyncpg.Connection):
    """A connection of the pool. It is only used within transactions, whose settings and locks end with them: nothing is to be reset."""

    def get_reset_query(self) -> str:
        return ""


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


async def _prepare(connection: Any) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=_dumps, decoder=json.loads, schema="pg_catalog")


async def create_pool(dsn: str, *, service: str, max_size: int = 8) -> Pool:
    """A pool for one service's role. JSON columns come and go as Python values. Raises OSError or PostgresError when it cannot connect."""
    pool = await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        init=_prepare,
        connection_class=_Connection,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings={"application_name": service, "idle_in_transaction_session_timeout": "60000"},
    )
    assert pool is not None
    return pool


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One use case's transaction: commits at the end, rolls back on any error. Raises InterfaceError when the connection is lost."""
    try:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
            yield connection
    except asyncpg.InternalClientError as error:
        # asyncpg tried to roll back on a connection that was lost in the middle of a statement.
        raise asyncpg.InterfaceError("the connection was lost within a transaction") from error


async def connect(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    """A single connection outside the pool, for LISTEN, advisory locks and migrations."""
    connection = await asyncpg.connect(dsn, command_timeout=COMMAND_TIMEOUT_S)
    await _prepare(connection)
    return connection
