"""The runner's reports, between services only."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from modelyard_contracts.work import StepResult, StepStart
from modelyard_platform.http import Service
from scheduler.api.parts import Wired
from scheduler.usecases import advancing

router = APIRouter(prefix="/internal/v1/steps", tags=["internal"])

Attempt = Annotated[int, Path(ge=1)]


@router.post("/{id_}/attempts/{attempt}/started", status_code=204, operation_id="step_started")
async def started(id_: UUID, attempt: Attempt, body: StepStart, parts: Wired, caller: Service) -> None:
    """An attempt has begun. 409 when nobody waits for it."""
    await advancing.step_started(parts.pool, id_, attempt, body)


@router.post("/{id_}/attempts/{attempt}/finished", status_code=204, operation_id="step_finished")
async def finished(id_: UUID, attempt: Attempt, body: StepResult, parts: Wired, caller: Service) -> None:
    """An attempt has ended. The first report counts; 409 when nobody waits for it."""
    await advancing.step_finished(parts.pool, id_, attempt, body)
