"""Routes of triggers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard_platform.http import Contributor, Reader
from scheduler.api.parts import Limit, Wired
from scheduler.schemas import Page, TriggerSpec
from scheduler.usecases import triggering

router = APIRouter(prefix="/api/v1/triggers", tags=["triggers"])


@router.put("/{name}", operation_id="put_trigger")
async def put(name: str, body: TriggerSpec, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Make or change a trigger: a job to submit when an event matches. It takes events from now on."""
    return await triggering.put_trigger(parts.pool, caller.cause, name, body.spec)


@router.get("", response_model=Page, operation_id="list_triggers")
async def list_triggers(parts: Wired, caller: Reader, cursor: str = "", limit: Limit = 100) -> Any:
    """Triggers by name."""
    items, following = await triggering.list_triggers(parts.pool, caller.cause.workspace, after=cursor, limit=limit)
    return {"items": items, "next": following}


@router.get("/{name}", operation_id="get_trigger")
async def get(name: str, parts: Wired, caller: Reader) -> dict[str, Any]:
    """A trigger with its last firings and the jobs they submitted."""
    return await triggering.get_trigger(parts.pool, caller.cause.workspace, name)


@router.delete("/{name}", status_code=204, operation_id="delete_trigger")
async def delete(name: str, parts: Wired, caller: Contributor) -> None:
    await triggering.delete_trigger(parts.pool, caller.cause, name)
