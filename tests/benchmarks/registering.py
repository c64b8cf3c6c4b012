"""How fast versions are registered (metadata only): at the registry, through the gateway, and by MLflow on the same PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import asyncpg

from modelyard.stack import parts, services
from tests.benchmarks import peer
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.load import Load, Measured, measure, request
from tests.benchmarks.rows import Row, at_least, at_most, times_the_peer
from tests.benchmarks.searching import bearer
from tests.benchmarks.stack import Stack

NAMES: Final = ("register_p50_ms", "register_per_s", "register_vs_mlflow")

_GOAL_MS: Final = 5.0
_GOAL_PER_S: Final = 400.0
_CLIENTS: Final = 8
_SECONDS: Final = 8.0
_WARM_UP_S: Final = 2.0
_MLFLOW_START_S: Final = 120.0
_NUMBERED: Final = "CLIENT"
"""Of as many letters as the numbers that take its place have digits."""
_DATABASE: Final = "mlflow_peer"


def rows(bench: Bench) -> Sequence[Row]:
    """One client for the latency, eight for the rate, each with a model of its own."""
    stack = bench.stack()
    spec = {
        "name": f"benchmark-{_NUMBERED}",
        "path": "https://example.com/model",
        "tags": {"team": "benchmark", "rows": "1000"},
    }
    body = json.dumps({"spec": spec}).encode()
    registry = services.url(stack.layout, "registry")
    ours = request("/api/v1/models", body, headers=bearer(stack.layout))
    tell(f"registering for {_SECONDS:g} s with 1 client and with {_CLIENTS}, at the registry and through the gateway")
    one, many = _measure(registry, ours, 1), _measure(registry, ours, _CLIENTS)
    through = request("/api/v1/models", body, headers={"authorization": f"Bearer {stack.token}"})
    gateway_one, gateway_many = _measure(stack.url, through, 1), _measure(stack.url, through, _CLIENTS)
    tell("the same with MLflow")
    with _mlflow(bench, stack) as url:
        theirs = json.dumps(
            {
                "name": f"benchmark-{_NUMBERED}",
                "source": "s3://benchmark/model",
                "tags": [{"key": "team", "value": "b"}],
            }
        )
        create = request(
            "/api/2.0/mlflow/model-versions/create", theirs.encode(), headers={"host": urlsplit(url).netloc}
        )
        peer_one, peer_many = _measure(url, create, 1), _measure(url, create, _CLIENTS)
    return [
        at_most(_GOAL_MS, "register_p50_ms", one.p50_us / 1e3, "ms"),
        Row(name="register_p99_ms", value=one.p99_us / 1e3, unit="ms"),
        at_least(_GOAL_PER_S, "register_per_s", many.per_second, "/s"),
        Row(name="register_gateway_p50_ms", value=gateway_one.p50_us / 1e3, unit="ms"),
        Row(name="register_gateway_per_s", value=gateway_many.per_second, unit="/s"),
        times_the_peer(
            1, "register_vs_mlflow", many.per_second, "/s", peer="MLflow, 2 workers", peer_value=peer_many.per_second
        ),
        Row(name="register_mlflow_p50_ms", value=peer_one.p50_us / 1e3, unit="ms"),
    ]


def _measure(url: str, sent: bytes, connections: int) -> Measured:
    where = urlsplit(url)
    assert where.hostname is not None
    assert where.port is not None
    return measure(
        Load(
            host=where.hostname,
            port=where.port,
            request=sent,
            connections=connections,
            seconds=_SECONDS,
            warm_up_s=_WARM_UP_S,
            numbered=_NUMBERED,
        )
    )


@contextmanager
def _mlflow(bench: Bench, stack: Stack) -> Iterator[str]:
    """MLflow with a database of its own on the stack's PostgreSQL, and a registered model for each client."""
    asyncio.run(_create_database(parts.postgres_dsn(stack.layout, database="postgres")))
    uri = parts.postgres_dsn(stack.layout, database=_DATABASE).replace("postgresql:", "postgresql+psycopg2:", 1)
    with peer.serving("mlflow", uri, str(bench.folder("mlflow")), start_s=_MLFLOW_START_S) as port:
        url = f"http://127.0.0.1:{port}"
        for number in range(_CLIENTS):
            body = json.dumps({"name": f"benchmark-{number:0{len(_NUMBERED)}d}"}).encode()
            made = Request(f"{url}/api/2.0/mlflow/registered-models/create", body, {"content-type": "application/json"})
            with urlopen(made, timeout=30):
                pass
        yield url


async def _create_database(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"create database {_DATABASE}")
    finally:
        await connection.close()
