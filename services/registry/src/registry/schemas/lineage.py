"""The lineage graph and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from registry.domain.lineage import Direction


class LineageNode(BaseModel):
    """A thing as it was at the time asked for. `more`: not all of its neighbours are shown."""

    id: str
    kind: str
    name: str
    version: str | None
    title: str
    state: str | None
    by: str | None
    time: datetime | None
    depth: int = Field(description="edges from the node that was asked for")
    more: bool


class LineageEdge(BaseModel):
    """`target` rests on `source`, from `since` until `until` (null: still)."""

    source: str
    relation: str
    target: str
    since: datetime
    until: datetime | None
    event: str


class Lineage(BaseModel):
    """A part of the graph. `complete` is false where nodes say that there is more."""

    node: str
    direction: Direction
    depth: int
    at: datetime | None
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    complete: bool


class Change(BaseModel):
    """One change. `before` and `after` are null where there was nothing, or where the event says all there is to say."""

    time: datetime
    actor: str
    reason: str | None
    type: str
    subject: str
    before: Any
    after: Any
    event: str
    because: str | None = Field(description="the event it follows from")
    correlation_id: str


class ChangePage(BaseModel):
    items: list[Change]
    next: str | None
