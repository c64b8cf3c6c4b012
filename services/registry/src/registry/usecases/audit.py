"""The audit log: every change, by whom, why, from what to what."""

from __future__ import annotations

from typing import Any

from modelyard_platform.database import Pool, transaction
from registry.domain.audit import AuditQuery, change_of
from registry.domain.facts import Fact
from registry.store import audit


async def list_changes(
    pool: Pool, workspace: str, query: AuditQuery, *, below: int, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of changes, newest first, and the cursor of the next page."""
    async with transaction(pool) as tx:
        found = await audit.list_changes(tx, workspace, query, below, limit + 1)
    page = found[:limit]
    return [_document(fact) for _, fact in page], str(page[-1][0]) if len(found) > limit else None


def _document(fact: Fact) -> dict[str, Any]:
    before, after = change_of(fact)
    return {
        "time": fact.time,
        "actor": fact.actor,
        "reason": fact.reason,
        "type": fact.type,
        "subject": fact.subject,
        "before": before,
        "after": after,
        "event": str(fact.event_id),
        "because": fact.causation_id,
        "correlation_id": fact.correlation_id,
    }
