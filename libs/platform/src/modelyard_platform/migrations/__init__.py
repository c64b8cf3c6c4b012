"""Forward-only migrations of one service's schema: first the platform's own, then the service's `migrations/*.sql`.

Files are named `NNNN_pre_….sql` (before the new code runs) or `NNNN_post_….sql` (after no old code runs any more), applied
once each, in order, in a transaction of their own. Run by a one-shot command (`python -m <service> migrate`), never at a service's start.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from typing import Final

from modelyard_platform import database
from modelyard_platform.database import Connection

_NAME: Final = re.compile(r"^\d{4}_(pre|post)_[a-z0-9_]+\.sql$")

_CREATE: Final = """
create table if not exists migrations (
    name       text        primary key,
    sha256     text        not null,
    applied_at timestamptz not null default now()
)
"""
_APPLIED: Final = "select name, sha256 from migrations"
_RECORD: Final = "insert into migrations (name, sha256) values ($1, $2)"


class MigrationChangedError(RuntimeError):
    """A migration that was applied before has another content now. Applied migrations are never edited: add a new one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"migration {name} was applied with another content; add a new migration and leave this one as it was"
        )
        self.name = name


def files(package: str) -> list[tuple[str, str]]:
    """The platform's and a service's migrations as (name, SQL), in the order they are applied."""
    found = []
    for owner in ("modelyard_platform", package):
        folder = resources.files(owner) / "migrations"
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if file.name.endswith(".sql"):
                if not _NAME.match(file.name):
                    raise ValueError(f"{owner}/migrations/{file.name} is not named NNNN_pre_….sql or NNNN_post_….sql")
                found.append((f"{owner}/{file.name}", file.read_text(encoding="utf-8")))
    return found


async def apply(connection: Connection, package: str) -> list[str]:
    """Apply what is missing to the connection's schema and tell which. Raises MigrationChangedError."""
    await connection.execute("select pg_advisory_lock(hashtext('modelyard_migrations' || current_schema()))")
    try:
        await connection.execute(_CREATE)
        applied = {row["name"]: row["sha256"] for row in await connection.fetch(_APPLIED)}
        done = []
        for name, sql in files(package):
            digest = hashlib.sha256(sql.encode()).hexdigest()
            if name in applied:
                if applied[name] != digest:
                    raise MigrationChangedError(name)
                continue
            async with connection.transaction():
                await connection.execute("set local lock_timeout = '5s'")
                await connection.execute(sql)
                await connection.execute(_RECORD, name, digest)
            done.append(name)
        return done
    finally:
        await connection.execute("select pg_advisory_unlock(hashtext('modelyard_migrations' || current_schema()))")


async def migrate(dsn: str, package: str) -> list[str]:
    """Bring the schema behind `dsn` (a service's role, whose search path is its schema) up to date."""
    connection = await database.connect(dsn)
    try:
        return await apply(connection, package)
    finally:
        await connection.close()
