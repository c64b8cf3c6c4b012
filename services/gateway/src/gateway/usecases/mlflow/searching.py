"""Searches of the registry for MLflow clients: what its own search cannot say is looked at here, page by page."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from gateway.domain.mlflow.filters import Condition, Order
from modelyard_platform.errors import InvalidError

Page = dict[str, Any]
Document = dict[str, Any]
Value = Callable[[Document, str, str], str | float | None]
Fetch = Callable[[str | None, str | None], Awaitable[Page]]
"""A page of the registry's list: in an order of its own, after a cursor."""

_CHUNK: Final = 200
MOST: Final = 10_000
"""So many are looked at for one answer."""

CHUNK: Final = _CHUNK
"""How many the registry is asked for at a time."""


async def find(
    fetch: Fetch, value: Value, conditions: list[Condition], *, sort: str | None, order: list[Order],
    token: str | None, limit: int,
) -> tuple[list[Document], str | None]:  # fmt: skip
    """A page of what meets all conditions, and the token of the next page.

    `sort` is the registry's word for the order asked for; a page for which more than `MOST` had to be looked at ends there, full or
    not. Without such a word everything that may fit is put in order here, which is refused (InvalidError) where that is more.
    """
    cursor, skip = _read(token)
    if sort is None:
        return await _in_order(fetch, value, conditions, order, skip, limit)
    found: list[Document] = []
    looked_at = 0
    while looked_at < MOST:
        page = await fetch(sort, cursor)
        for place, document in enumerate(page["items"]):
            if place < skip or not _meets(document, value, conditions):
                continue
            if len(found) == limit:
                return found, _write(cursor, place)
            found.append(document)
        looked_at += len(page["items"])
        cursor, skip = page["next"], 0
        if cursor is None:
            return found, None
    return found, _write(cursor, 0)


async def _in_order(
    fetch: Fetch, value: Value, conditions: list[Condition], order: list[Order], skip: int, limit: int
) -> tuple[list[Document], str | None]:
    found: list[Document] = []
    looked_at = 0
    cursor: str | None = None
    while looked_at < MOST:
        page = await fetch(None, cursor)
        found += [document for document in page["items"] if _meets(document, value, conditions)]
        looked_at += len(page["items"])
        cursor = page["next"]
        if cursor is None:
            break
    else:
        raise InvalidError(
            f"more than {MOST:,} may be meant, which is too many for this order; narrow the filter by a name or tag, or order by one "
            "of the attributes that the registry keeps in order",
            path="order_by",
        )
    for one in reversed(order):  # sorting is stable: the last order first
        found.sort(key=_sort_key(value, one), reverse=one.descending)
    more = len(found) > skip + limit
    return found[skip : skip + limit], _write(None, skip + limit) if more else None


def _sort_key(value: Value, order: Order) -> Callable[[Document], tuple[bool, str | float]]:
    def key(document: Document) -> tuple[bool, str | float]:
        found = value(document, order.field, order.key)
        return (found is not None) == order.descending, found if found is not None else ""

    return key


def _meets(document: Document, value: Value, conditions: list[Condition]) -> bool:
    return all(one.holds(value(document, one.field, one.key)) for one in conditions)


def _write(cursor: str | None, skip: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([cursor, skip]).encode()).decode()


def _read(token: str | None) -> tuple[str | None, int]:
    if not token:
        return None, 0
    try:
        cursor, skip = json.loads(base64.urlsafe_b64decode(token))
    except (TypeError, ValueError) as error:
        raise InvalidError("the page token is not one that a search gave", path="page_token") from error
    if not (cursor is None or isinstance(cursor, str)) or not isinstance(skip, int):
        raise InvalidError("the page token is not one that a search gave", path="page_token")
    return cursor, skip
