"""The drift monitor's routes: parse, one use case, answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from drift_monitor.clients import Profiles
from drift_monitor.schemas import Monitor, MonitorPage, MonitorRequest, Signals
from drift_monitor.usecases import monitors
from modelyard_platform.database import Pool
from modelyard_platform.http import Contributor, Reader
from modelyard_platform.objects import ObjectStore

router = APIRouter(prefix="/api/v1/monitors", tags=["monitors"])

Limit = Annotated[int, Query(ge=1, le=1000)]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application was wired with."""

    pool: Pool
    objects: ObjectStore
    profiles: Profiles


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]


@router.get("", response_model=MonitorPage)
async def list_monitors(parts: Wired, caller: Reader, cursor: str = "", limit: Limit = 100) -> Any:
    items, following = await monitors.list_monitors(parts.pool, caller.cause.workspace, cursor, limit)
    return {"items": items, "next": following}


@router.put("/{name}", response_model=Monitor)
async def put_monitor(name: str, body: MonitorRequest, parts: Wired, caller: Contributor) -> Any:
    """Make or replace a monitor."""
    return await monitors.put_monitor(parts.pool, parts.objects, parts.profiles, caller.cause, name, body.spec)


@router.get("/{name}", response_model=Monitor)
async def get_monitor(name: str, parts: Wired, caller: Reader) -> Any:
    return await monitors.get_monitor(parts.pool, caller.cause.workspace, name)


@router.delete("/{name}", status_code=204)
async def delete_monitor(name: str, parts: Wired, caller: Contributor) -> None:
    await monitors.delete_monitor(parts.pool, caller.cause, name)


@router.get("/{name}/signals", response_model=Signals)
async def read_signals(name: str, parts: Wired, caller: Reader, limit: Limit = 20) -> Any:
    """What the monitor sees."""
    return await monitors.read_signals(parts.pool, caller.cause.workspace, name, limit)
