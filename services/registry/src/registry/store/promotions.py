"""Promotion decisions."""

from __future__ import annotations

from typing import Any, Final

from modelyard_platform.database import Connection

_INSERT: Final = """
insert into promotions (id, workspace, model, candidate, champion, criterion, evidence, status, detail, decided_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning id, model, candidate, champion, criterion, evidence, status, detail, decided_by, created_at
"""
_LIST: Final = """
select id, model, candidate, champion, criterion, evidence, status, detail, decided_by, created_at
from promotions where workspace = $1 and ($2::text is null or model = $2) order by created_at desc limit $3
"""


async def insert_promotion(
    tx: Connection,
    workspace: str,
    *,
    id_: str,
    model: str,
    candidate: str,
    champion: str | None,
    criterion: str,
    evidence: dict[str, Any],
    status: str,
    detail: str,
    decided_by: str,
) -> dict[str, Any]:
    """Keep a decision with the figures it was made on."""
    row = await tx.fetchrow(
        _INSERT, id_, workspace, model, candidate, champion, criterion, evidence, status, detail, decided_by
    )
    assert row is not None
    return dict(row)


async def list_promotions(tx: Connection, workspace: str, model: str | None, limit: int) -> list[dict[str, Any]]:
    """Decisions, newest first."""
    return [dict(row) for row in await tx.fetch(_LIST, workspace, model, limit)]
