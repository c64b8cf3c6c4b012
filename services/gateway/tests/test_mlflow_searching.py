"""How much of the registry one search of an MLflow client looks at."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.domain.mlflow.filters import Condition, Order
from gateway.usecases.mlflow.searching import CHUNK, MOST, find
from modelyard_platform.errors import InvalidError

BY_TIME = [Order("attribute", "created_at")]


class Registry:
    """So many documents, given page by page."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pages = 0

    async def fetch(self, _sort: str | None, cursor: str | None) -> dict[str, Any]:
        self.pages += 1
        start = int(cursor or 0)
        end = min(start + CHUNK, self.size)
        items = [{"name": f"m{number}", "created_at": -number} for number in range(start, end)]
        return {"items": items, "next": str(end) if end < self.size else None}


def value(document: dict[str, Any], field: str, key: str) -> Any:
    return document[key]


async def test_a_page_that_would_take_too_long_ends_and_the_next_one_goes_on() -> None:
    registry = Registry(3 * MOST)
    last = [Condition("attribute", "name", "=", f"m{3 * MOST - 1}")]
    found, token, pages = list[Any](), None, 0
    while pages == 0 or token:
        before = registry.pages
        page, token = await find(registry.fetch, value, last, sort="name", order=BY_TIME, token=token, limit=10)
        assert registry.pages - before == MOST // CHUNK
        found += page
        pages += 1
    assert ([one["name"] for one in found], pages) == ([f"m{3 * MOST - 1}"], 3)


async def test_an_order_of_our_own_is_for_as_many_as_one_answer_looks_at() -> None:
    nothing = [Condition("attribute", "name", "=", "none")]
    registry = Registry(MOST)
    found, token = await find(registry.fetch, value, [], sort=None, order=BY_TIME, token=None, limit=2)
    assert ([one["name"] for one in found], bool(token)) == ([f"m{MOST - 1}", f"m{MOST - 2}"], True)
    too_large = Registry(100 * MOST)
    with pytest.raises(InvalidError, match="10,000"):
        await find(too_large.fetch, value, nothing, sort=None, order=BY_TIME, token=None, limit=2)
    assert too_large.pages == MOST // CHUNK
