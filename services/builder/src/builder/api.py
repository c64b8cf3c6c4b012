"""Routes of environment locks and conversions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from builder.schemas import ConversionPage, EnvironmentLock, LockRequest
from builder.usecases import locks, tasks
from builder.usecases.locks import Locker
from modelyard_platform.http import Contributor, Reader

router = APIRouter(prefix="/api/v1")


def _locker(request: Request) -> Locker:
    locker: Locker = request.app.state.locker
    return locker


Wired = Annotated[Locker, Depends(_locker)]


@router.post(
    "/environment-locks", response_model=EnvironmentLock, operation_id="lock_environment", tags=["environments"]
)
async def lock_environment(body: LockRequest, locker: Wired, caller: Contributor) -> Any:
    """Lock an environment; the same specification always gives the same lock. May take a minute the first time."""
    return await locks.lock_environment(locker, caller.cause.workspace, body.spec)


@router.get(
    "/environment-locks/{digest}",
    response_model=EnvironmentLock,
    operation_id="get_environment_lock",
    tags=["environments"],
)
async def get_environment_lock(digest: str, locker: Wired, caller: Reader) -> Any:
    return await locks.get_lock(locker, digest)


@router.get("/conversions", response_model=ConversionPage, operation_id="list_conversions", tags=["conversions"])
async def list_conversions(
    locker: Wired,
    caller: Reader,
    *,
    model: str | None = None,
    version: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Any:
    """Models on their way to ONNX, newest first."""
    items = await tasks.list_conversions(locker.pool, caller.cause.workspace, model=model, version=version, limit=limit)
    return {"items": items, "next": None}
