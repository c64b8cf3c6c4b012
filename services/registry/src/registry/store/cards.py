"""What people wrote on the cards of model versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from modelyard_platform.database import Connection

_LIST: Final = """
select section, text, written_by, written_at from card_sections where workspace = $1 and model = $2 and version = $3 order by section
"""
# Two people who write at once: the second waits, and its event tells of what the first wrote.
_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended('card ' || $1 || ' ' || $2 || ' ' || $3, 0))"
_PUT: Final = """
insert into card_sections (workspace, model, version, section, text, written_by) values ($1, $2, $3, $4, $5, $6)
on conflict (workspace, model, version, section)
do update set text = excluded.text, written_by = excluded.written_by, written_at = now()
"""
_DELETE: Final = """
delete from card_sections where workspace = $1 and model = $2 and version = $3 and section = any($4)
"""

_DELETE_ALL: Final = "delete from card_sections where workspace = $1 and model = $2 and version = $3"


async def list_sections(tx: Connection, workspace: str, model: str, version: str) -> dict[str, dict[str, Any]]:
    """Sections by name: `{text, written_by, written_at}`."""
    rows = await tx.fetch(_LIST, workspace, model, version)
    return {
        row["section"]: {"text": row["text"], "written_by": row["written_by"], "written_at": row["written_at"]}
        for row in rows
    }


async def put_sections(
    tx: Connection, workspace: str, model: str, version: str, sections: Mapping[str, str], actor: str
) -> None:
    """Write these; empty ones are removed, the others stay as they are. Held against other writers until the transaction ends."""
    await tx.executemany(
        _PUT, [(workspace, model, version, name, text, actor) for name, text in sections.items() if text.strip()]
    )
    await tx.execute(_DELETE, workspace, model, version, [name for name, text in sections.items() if not text.strip()])


async def lock_card(tx: Connection, workspace: str, model: str, version: str) -> None:
    """Let nobody else write on this card until the transaction ends."""
    await tx.execute(_LOCK, workspace, model, version)


async def delete_card(tx: Connection, workspace: str, model: str, version: str) -> None:
    """Nothing is written on it any more: a version that comes again under this name is another one."""
    await tx.execute(_DELETE_ALL, workspace, model, version)
