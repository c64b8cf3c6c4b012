"""What the routes share: the parts they were wired with, and how lists are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from modelyard_platform.database import Pool
from modelyard_platform.errors import InvalidError
from modelyard_platform.objects import ObjectStore
from scheduler.clients.logs import LogStream
from scheduler.clients.neighbours import Registry
from scheduler.domain.runs import Search
from scheduler.schemas import SearchRequest, Text
from scheduler.usecases.reading import NEWEST


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application was wired with."""

    pool: Pool
    store: ObjectStore
    registry: Registry
    logs: LogStream


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]
Limit = Annotated[int, Query(ge=1, le=1000)]
ExperimentId = Annotated[int, Path(ge=0, lt=2**63)]
TextPath = Annotated[Text, Path(max_length=1024)]
TextQuery = Annotated[Text, Query(max_length=1024)]


def read_cursor(cursor: str | None) -> int:
    """Where a list from newest to oldest goes on. Raises InvalidError for a cursor no page gave."""
    if cursor is None:
        return NEWEST
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidError("the cursor is not one that a page gave", path="cursor")
    return int(cursor)


def as_search(body: SearchRequest) -> Search:
    """A search as the use cases take it."""
    return Search(
        conditions=[one.model_dump() for one in body.conditions],
        order=[one.model_dump() for one in body.order],
        lifecycle=body.lifecycle,
        offset=int(body.cursor or 0),
        limit=body.limit,
    )


def page(found: tuple[list[dict[str, Any]], bool], offset: int) -> dict[str, Any]:
    """Part of a list that is read from an offset."""
    items, more = found
    return {"items": items, "next": str(offset + len(items)) if more else None}
