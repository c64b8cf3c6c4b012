"""How soon the registry finds versions by tag, and by three conditions, among 100,000 versions with 1,000,000 tags."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg
import httpx

from modelyard.stack import parts, services
from modelyard.stack.layout import Layout
from modelyard_platform import identity
from modelyard_platform.cause import Identity
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.catalogue import Catalogue, fill
from tests.benchmarks.latency import percentile
from tests.benchmarks.rows import Row, at_most

NAMES: Final = ("search_tag_p99_ms", "search_three_p99_ms")
WORKSPACE: Final = "benchmark"

_TAG_GOAL_MS: Final = 20.0
_THREE_GOAL_MS: Final = 50.0
_VERSIONS: Final = 100_000
_WARM_UP: Final = 50
_REQUESTS: Final = 600


def bearer(layout: Layout) -> dict[str, str]:
    """Headers of an owner of a workspace of the benchmarks' own, at a service itself."""
    who = Identity(actor="user:benchmark", role="owner", workspace=WORKSPACE)
    return {
        "authorization": f"Bearer {identity.sign(layout.secret('identity'), who, issuer='gateway', lifetime_s=3600)}"
    }


def rows(bench: Bench) -> Sequence[Row]:
    """One request after the other, at the registry: the newest version of each name that fits, a page of 100."""
    stack = bench.stack()
    catalogue = Catalogue(WORKSPACE, _VERSIONS)
    tell(f"filling a registry with {_VERSIONS:,} versions and {10 * _VERSIONS:,} tags")
    asyncio.run(_fill(parts.postgres_dsn(stack.layout, "registry"), catalogue))
    tell(f"{_REQUESTS} searches by one tag, {_REQUESTS} by three conditions")
    with httpx.Client(
        base_url=services.url(stack.layout, "registry"), headers=bearer(stack.layout), timeout=30, trust_env=False
    ) as client:
        one = measure(client, catalogue.one_tag)
        three = measure(client, catalogue.three)
    return [
        at_most(_TAG_GOAL_MS, "search_tag_p99_ms", percentile(one, 99), "ms"),
        Row(name="search_tag_p50_ms", value=percentile(one, 50), unit="ms"),
        at_most(_THREE_GOAL_MS, "search_three_p99_ms", percentile(three, 99), "ms"),
        Row(name="search_three_p50_ms", value=percentile(three, 50), unit="ms"),
    ]


def measure(client: httpx.Client, search: Callable[[random.Random], str], requests: int = _REQUESTS) -> list[float]:
    """Milliseconds of each request, sorted. Raises HTTPStatusError when one is not answered."""
    dice = random.Random(5)
    took = []
    for number in range(_WARM_UP + requests):
        text = search(dice)
        began = time.perf_counter()
        client.get("/api/v1/models", params={"search": text}).raise_for_status()
        if number >= _WARM_UP:
            took.append((time.perf_counter() - began) * 1e3)
    return sorted(took)


async def _fill(dsn: str, catalogue: Catalogue) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await fill(connection, catalogue)
    finally:
        await connection.close()
