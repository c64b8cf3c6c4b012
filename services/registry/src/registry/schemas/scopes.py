"""Workspaces and shared registries."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class ScopeRequest(Request):
    """A new workspace, or a new shared registry."""

    name: str
    description: str = Field(default="", max_length=10_000)
    tags: dict[str, str] = {}


class Scope(BaseModel):
    name: str
    description: str
    tags: dict[str, str]
    created_by: str
    created_at: datetime


class ScopePage(BaseModel):
    items: list[Scope]
    next: str | None = None


class NewWorkspace(Scope):
    """A workspace that was just made, with its first owner's token, shown this once."""

    token: str
