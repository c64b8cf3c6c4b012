"""The audit log: the event log, asked by whom, about what and when."""

from __future__ import annotations

from typing import Final

from modelyard_platform.database import Connection
from registry.domain.audit import AuditQuery
from registry.domain.facts import Fact
from registry.store.facts import read_fact

# Three statements, since each has an index of its own. `~~` is LIKE; patterns are escaped by the caller.
_OF_SUBJECT: Final = """
select * from events
where workspace = $1 and position < $2 and subject like $3 and ($4::text is null or actor = $4) and ($5::text is null or type like $5)
    and ($6::timestamptz is null or time >= $6) and ($7::timestamptz is null or time < $7)
order by position desc limit $8
"""
_OF_ACTOR: Final = """
select * from events
where workspace = $1 and position < $2 and actor = $3 and ($4::text is null or type like $4)
    and ($5::timestamptz is null or time >= $5) and ($6::timestamptz is null or time < $6)
order by position desc limit $7
"""
_ALL: Final = """
select * from events
where workspace = $1 and position < $2 and ($3::text is null or type like $3)
    and ($4::timestamptz is null or time >= $4) and ($5::timestamptz is null or time < $5)
order by position desc limit $6
"""


async def list_changes(
    tx: Connection, workspace: str, query: AuditQuery, below: int, limit: int
) -> list[tuple[int, Fact]]:
    """Events that fit, newest first, with their position, below the cursor."""
    type_ = _like(query.type).replace("*", "%") if query.type else None
    times = (query.after, query.before)
    if query.subject:
        subject = f"{_like(query.subject)}%"
        rows = await tx.fetch(_OF_SUBJECT, workspace, below, subject, query.actor, type_, *times, limit)
    elif query.actor:
        rows = await tx.fetch(_OF_ACTOR, workspace, below, query.actor, type_, *times, limit)
    else:
        rows = await tx.fetch(_ALL, workspace, below, type_, *times, limit)
    return [(row["position"], read_fact(row)) for row in rows]


def _like(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
