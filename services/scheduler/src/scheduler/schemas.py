"""What the scheduler's routes take and give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class GitState(BaseModel):
    """Where the code came from, as the client saw it."""

    model_config = ConfigDict(extra="forbid")

    repository: str | None = None
    branch: str | None = None
    commit: str | None = None
    dirty: bool = False


class JobSubmission(BaseModel):
    """A job to run: the resolved specification, the state of the code, and a name unless a new one will do."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any]
    git: GitState | None = None
    name: str | None = Field(default=None, max_length=120)


class TriggerSpec(BaseModel):
    """A trigger's specification."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any]


class Page(BaseModel):
    """Part of a list; `next` is the cursor of the following part."""

    items: list[dict[str, Any]]
    next: str | None


class Items(BaseModel):
    """A list that comes whole."""

    items: list[dict[str, Any]]
    next: None = None


class OutputTree(BaseModel):
    """An output's files."""

    tree: str
    size: int
    files: list[dict[str, Any]]
