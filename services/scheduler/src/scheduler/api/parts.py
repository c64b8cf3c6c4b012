"""What the routes share: the parts they were wired with, and how lists are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request

from modelyard_platform.database import Pool
from modelyard_platform.errors import InvalidError
from modelyard_platform.objects import ObjectStore
from scheduler.clients.logs import LogStream
from scheduler.clients.neighbours import Registry
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


def read_cursor(cursor: str | None) -> int:
    """Where a list from newest to oldest goes on. Raises InvalidError for a cursor no page gave."""
    if cursor is None:
        return NEWEST
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidError("the cursor is not one that a page gave", path="cursor")
    return int(cursor)
