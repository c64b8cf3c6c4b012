"""Workspaces and shared registries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class ScopeRequest(Request):
    """A new workspace."""

    name: str
    description: str = Field(default="", max_length=10_000)
    tags: dict[str, str] = {}


Workspaces = Annotated[list[str], Field(max_length=1000)]


class RegistryRequest(ScopeRequest):
    """A new shared registry. `writers`: the workspaces that may share into it, beside the one whose owners make registries."""

    writers: Workspaces = []


class RegistryChange(Request):
    """What is to be different: only what is given."""

    description: str | None = Field(default=None, max_length=10_000)
    add_writers: Workspaces = []
    remove_writers: Workspaces = []


class Scope(BaseModel):
    name: str
    description: str
    tags: dict[str, str]
    created_by: str
    created_at: datetime


class ScopePage(BaseModel):
    items: list[Scope]
    next: str | None = None


class SharedRegistry(Scope):
    """`writers`: which workspaces may share into it, of those that you may know of."""

    writers: list[str]


class SharedRegistryPage(BaseModel):
    items: list[SharedRegistry]
    next: str | None = None


class NewWorkspace(Scope):
    """A workspace that was just made, with its first owner's token, shown this once."""

    token: str
