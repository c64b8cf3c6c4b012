"""Promotion decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class PromotionRequest(Request):
    """A candidate, the criterion to judge it by, and figures of both sides measured on the same rows."""

    model: str
    candidate: str
    criterion: str = Field(max_length=1000)
    evidence: dict[str, Any]


class Promotion(BaseModel):
    id: str
    model: str
    candidate: str
    champion: str | None
    criterion: str
    evidence: dict[str, Any]
    status: Literal["approved", "rejected"]
    detail: str
    decided_by: str
    created_at: datetime


class PromotionPage(BaseModel):
    items: list[Promotion]
    next: str | None = None
