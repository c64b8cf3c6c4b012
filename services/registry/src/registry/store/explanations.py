"""Explanations of model versions."""

from __future__ import annotations

from typing import Final

from modelyard_platform.database import Connection
from registry.domain.explanations import Explanation

_PUT: Final = """
insert into explanations (version_id, job, tree)
select id, $4, $5 from versions where workspace = $1 and kind = 'models' and name = $2 and version = $3
on conflict (version_id) do update set job = excluded.job, tree = excluded.tree, created_at = now()
"""
_GET: Final = "select job, tree, created_at from explanations where version_id = $1"


async def put_explanation(tx: Connection, workspace: str, name: str, version: str, job: str, tree: str) -> None:
    """Attach an explanation; it takes the former one's place. A version that is gone gets none."""
    await tx.execute(_PUT, workspace, name, version, job, tree)


async def get_explanation(tx: Connection, version_id: int) -> Explanation | None:
    """The version's explanation, or None."""
    row = await tx.fetchrow(_GET, version_id)
    return Explanation(**row) if row else None
