"""Where things come from, and who changed what."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from modelyard_platform.http import Owner, Reader
from registry.api.parts import Limit, Wired, read_cursor
from registry.domain.audit import AuditQuery
from registry.domain.lineage import MAX_DEPTH, Direction
from registry.schemas.lineage import ChangePage, Lineage
from registry.usecases import audit, lineage

router = APIRouter(prefix="/api/v1")


@router.get("/lineage", response_model=Lineage, tags=["lineage"])
async def get_lineage(
    parts: Wired,
    caller: Reader,
    node: Annotated[
        str,
        Query(
            max_length=600,
            description="`model/NAME:VERSION`, `model/NAME@LABEL`, `endpoint/NAME`, `job/NAME`, or a subject",
        ),
    ],
    direction: Annotated[Direction, Query(description="`up`: what it rests on; `down`: what rests on it")] = "up",
    depth: Annotated[int, Query(ge=1, le=MAX_DEPTH, description="how many edges far")] = 20,
    at: Annotated[AwareDatetime | None, Query(description="as `2026-05-01T10:00Z`; now when left out")] = None,
) -> Any:
    """The part of the lineage graph around a thing, as it was at a time."""
    return await lineage.trace(parts.pool, caller.cause.workspace, node, direction=direction, depth=depth, at=at)


@router.post("/lineage/rebuild", status_code=204, tags=["lineage"])
async def rebuild_lineage(parts: Wired, caller: Owner) -> None:
    """Build the workspace's graph anew from the event log."""
    await lineage.rebuild(parts.pool, caller.cause.workspace)


@router.get("/audit", response_model=ChangePage, tags=["audit"])
async def list_audit(
    parts: Wired,
    caller: Reader,
    *,
    subject: Annotated[
        str | None, Query(max_length=600, description="the beginning of it, as `endpoints/flights`")
    ] = None,
    actor: Annotated[str | None, Query(max_length=300, description="as `user:ada`")] = None,
    type: Annotated[str | None, Query(max_length=100, description="as `token.revoked` or `deployment.*`")] = None,  # noqa: A002 - the name in the address
    after: AwareDatetime | None = None,
    before: AwareDatetime | None = None,
    cursor: str | None = None,
    limit: Limit = 100,
) -> Any:
    """Every change, newest first: by whom, why, from what to what."""
    query = AuditQuery(subject=subject, actor=actor, type=type, after=after, before=before)
    items, following = await audit.list_changes(
        parts.pool, caller.cause.workspace, query, below=read_cursor(cursor), limit=limit
    )
    return {"items": items, "next": following}
