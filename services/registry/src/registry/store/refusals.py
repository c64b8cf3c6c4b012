"""Who has refused which version, and when that was said last."""

from __future__ import annotations

from typing import Final

from modelyard_platform.database import Connection

_NOTE: Final = """
insert into refusals (workspace, subject, refused_by) values ($1, $2, $3)
on conflict (workspace, subject, refused_by) do update set refused_at = now()
where refusals.refused_at < now() - make_interval(secs => $4)
returning true
"""
_FORGET: Final = "delete from refusals where refused_at < now() - make_interval(secs => $1)"


async def note_refusal(tx: Connection, workspace: str, subject: str, refused_by: str, silent_s: float) -> bool:
    """Keep that it was refused now; False when that was noted less than `silent_s` seconds ago."""
    await tx.execute(_FORGET, silent_s)
    return await tx.fetchval(_NOTE, workspace, subject, refused_by, silent_s) is not None
