"""Why a model predicts what it predicts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard_platform.http import Reader
from registry.api.parts import Wired
from registry.schemas.explanations import ModelExplanation
from registry.usecases import explanations

router = APIRouter(prefix="/api/v1/models", tags=["models"])


@router.get("/{name}/versions/{version}/explanation", response_model=ModelExplanation)
async def get_explanation(name: str, version: str, parts: Wired, caller: Reader) -> Any:
    """The newest explanation (Shapley values) of a model version, with its summary over all rows."""
    return await explanations.read_explanation(parts.pool, parts.store, caller.cause.workspace, name, version)
