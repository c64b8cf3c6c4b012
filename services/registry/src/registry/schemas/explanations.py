"""Explanations of model versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ModelExplanation(BaseModel):
    """Which columns move a model's predictions."""

    job: str
    tree: str
    created_at: datetime
    summary: dict[str, Any] = Field(
        description="`{method, rows, outputs: [{name, base_value, features: [{name, mean_abs, mean}]}]}`"
    )
