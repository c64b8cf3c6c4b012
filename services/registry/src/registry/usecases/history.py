"""Reading what happened: the event log, decisions, tokens."""

from __future__ import annotations

from typing import Any

from modelyard_platform.database import Pool, transaction
from registry.store import facts, promotions, tokens


async def list_events(
    pool: Pool,
    workspace: str,
    *,
    type_: str | None,
    subject: str | None,
    correlation: str | None,
    before: int,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the log, newest first, and the cursor of the next page."""
    async with transaction(pool) as tx:
        found = await facts.list_facts(
            tx, workspace, type_=type_, subject=subject, correlation=correlation, before=before, limit=limit + 1
        )
    page = found[:limit]
    items = [
        {
            "id": str(fact.event_id),
            "type": fact.type,
            "subject": fact.subject,
            "sequence": fact.sequence,
            "time": fact.time,
            "actor": fact.actor,
            "reason": fact.reason,
            "correlation_id": fact.correlation_id,
            "causation_id": fact.causation_id,
            "data": fact.data,
        }
        for _, fact in page
    ]
    return items, str(page[-1][0]) if len(found) > limit else None


async def list_promotions(pool: Pool, workspace: str, model: str | None, limit: int) -> list[dict[str, Any]]:
    """Promotion decisions, newest first."""
    async with transaction(pool) as tx:
        return await promotions.list_promotions(tx, workspace, model, limit)


async def list_tokens(pool: Pool, workspace: str) -> list[dict[str, Any]]:
    """Who may enter."""
    async with transaction(pool) as tx:
        return await tokens.list_tokens(tx, workspace)
