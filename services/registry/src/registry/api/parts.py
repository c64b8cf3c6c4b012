"""What the routes share: the parts they were wired with, and how lists are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from modelyard_platform import idempotency
from modelyard_platform.database import Pool
from modelyard_platform.objects import ObjectStore
from registry.clients import Scheduler
from registry.domain.assets import NEWEST
from registry.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application was wired with."""

    pool: Pool
    store: ObjectStore
    scheduler: Scheduler
    max_blob_bytes: int


def _parts(request: Request) -> Parts:
    parts: Parts = request.app.state.parts
    return parts


Wired = Annotated[Parts, Depends(_parts)]
IdempotencyKey = Annotated[str | None, Header(alias=idempotency.HEADER, max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1000)]


def read_tags(
    tag: Annotated[list[str] | None, Query(description="`name=value`, may be repeated")] = None,
) -> dict[str, str]:
    """Tag conditions of a query. Raises InvalidError for one without `=`."""
    tags = {}
    for condition in tag or []:
        name, equals, value = condition.partition("=")
        if not equals or not name:
            raise InvalidError(f"tag {condition!r} is not name=value", path="tag")
        tags[name] = value
    return tags


Tags = Annotated[dict[str, str], Depends(read_tags)]


def read_cursor(cursor: str | None) -> int:
    """Where a list from newest to oldest goes on. Raises InvalidError for a cursor no page gave."""
    if cursor is None:
        return NEWEST
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidError("the cursor is not one that a page gave", path="cursor")
    return int(cursor)
