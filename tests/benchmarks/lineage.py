"""How soon the lineage graph answers, among 100,000 model versions and as many jobs."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

import asyncpg
import httpx

from modelyard.stack import parts
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.graph import Graph, fill
from tests.benchmarks.latency import percentile
from tests.benchmarks.rows import Row, at_most

NAMES: Final = ("lineage_p99_ms",)

_GOAL_MS: Final = 50.0
_VERSIONS: Final = 100_000
_DEPTH: Final = 10
_WARM_UP: Final = 30
_REQUESTS: Final = 600


def rows(bench: Bench) -> Sequence[Row]:
    """Ten edges far in either direction from models, jobs, endpoints and data chosen by chance, one request after the other."""
    stack = bench.stack()
    tell(f"filling a graph of {_VERSIONS:,} versions")
    graph = Graph("default", _VERSIONS)
    asyncio.run(_fill(parts.postgres_dsn(stack.layout, "registry"), graph))
    tell(f"{_REQUESTS} walks of depth {_DEPTH}")
    headers = {"Authorization": f"Bearer {stack.token}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=30, trust_env=False) as client:
        took = measure(client, graph, _REQUESTS)
    return [
        at_most(_GOAL_MS, "lineage_p99_ms", percentile(took, 99), "ms"),
        Row(name="lineage_p50_ms", value=percentile(took, 50), unit="ms"),
    ]


def measure(client: httpx.Client, graph: Graph, requests: int) -> list[float]:
    """Milliseconds of each request, sorted. Raises HTTPStatusError when one is not answered."""
    dice = random.Random(3)
    took = []
    for number in range(_WARM_UP + requests):
        params = {"node": graph.node(dice), "direction": dice.choice(("up", "down", "both")), "depth": _DEPTH}
        began = time.perf_counter()
        client.get("/api/v1/lineage", params=params).raise_for_status()
        if number >= _WARM_UP:
            took.append((time.perf_counter() - began) * 1e3)
    return sorted(took)


async def _fill(dsn: str, graph: Graph) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await fill(connection, graph)
    finally:
        await connection.close()
