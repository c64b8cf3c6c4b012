"""Scoring one row through the edge, beside a bare FastAPI process with the same model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import httpx
import orjson

from tests.benchmarks import ceiling, endpoint, model, peer
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.load import Load, Measured, measure, request
from tests.benchmarks.rows import Row, less_than_the_peer, times_the_peer

NAMES: Final = ("score_vs_fastapi",)

_PEER: Final = "fastapi+uvicorn+onnxruntime"
_TIMES: Final = 2.0
_CONNECTIONS: Final = 32
_ROUNDS: Final = 5
_SECONDS: Final = 2.0
_WARM_UP_S: Final = 0.5
_HEADROOM: Final = 1.2


_LATENCIES: Final[dict[str, Callable[[Side], float]]] = {
    "score_p50_us_at_1": lambda side: median(one.p50_us for one in side.alone),
    "score_p99_us_at_1": lambda side: median(one.p99_us for one in side.alone),
    "score_p99_us_at_32": lambda side: median(one.p99_us for one in side.many),
}
"""By the number of connections."""


class NotTheSameError(Exception):
    """The two sides do not do the same work: comparing them would say nothing."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two servers, and what was measured of it: with one connection and with many."""

    name: str
    host: str
    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    alone: list[Measured] = field(default_factory=list)
    many: list[Measured] = field(default_factory=list)

    def request(self, rows: list[list[float]]) -> bytes:
        return request(self.path, orjson.dumps({"input_data": rows}), headers=self.headers)

    def measure(self, row: list[float], connections: int) -> Measured:
        """One more time."""
        return measure(
            Load(
                host=self.host,
                port=self.port,
                request=self.request([row]),
                connections=connections,
                seconds=_SECONDS,
                warm_up_s=_WARM_UP_S,
            )
        )

    def rate(self) -> float:
        return median(one.per_second for one in self.many)


def rows(bench: Bench) -> Sequence[Row]:
    """A random forest of 100 trees on 13 features. Ours: key check, traffic split over two deployments, every row collected.

    Both sides are measured in turn, so that what else happens on the machine meets both; the median of the rounds counts.
    """
    stack = bench.stack()
    file = bench.folder("model") / "model.onnx"
    wine = model.make(file)
    tell("deploying the model twice")
    ours = endpoint.make(stack, file)
    with peer.serving("fastapi", str(file)) as port:
        key = {"authorization": f"Bearer {ours.key}"}
        modelyard = Side(name="modelyard", host=ours.host, port=ours.port, path=ours.path, headers=key)
        fastapi = Side(name="fastapi", host="127.0.0.1", port=port, path="/score")
        sides = (modelyard, fastapi)
        _check_the_same(wine, *sides)
        limit = ceiling.measured(modelyard.request(wine[:1]), _CONNECTIONS, 2.0, bench.folder("ceiling"))
        before = endpoint.rows(stack)
        for _ in range(_ROUNDS):
            for side in sides:
                side.many.append(side.measure(wine[0], _CONNECTIONS))
                tell(f"{side.name}: {side.many[-1].per_second:,.0f} req/s")
            for side in sides:
                side.alone.append(side.measure(wine[0], 1))
        after = endpoint.rows(stack)
    sent = sum(one.sent for one in (*modelyard.alone, *modelyard.many))
    collected, dropped = after.collected - before.collected, after.dropped - before.dropped
    if collected + dropped != sent:
        raise NotTheSameError(f"{sent} rows were sent, and the replicas' collectors saw {collected + dropped}")
    return [
        times_the_peer(_TIMES, "score_vs_fastapi", modelyard.rate(), "req/s", peer=_PEER, peer_value=fastapi.rate()),
        *(_latency(name, sides, of) for name, of in _LATENCIES.items()),
        Row(name="score_collected", value=100 * collected / sent, unit="% of rows"),
        Row(
            name="generator_ceiling",
            value=limit.per_second,
            unit="req/s",
            goal=f">= {_HEADROOM:g} x measured",
            ok=limit.per_second >= _HEADROOM * max(modelyard.rate(), fastapi.rate()),
        ),
    ]


def _latency(name: str, sides: tuple[Side, Side], of: Callable[[Side], float]) -> Row:
    ours, theirs = (of(side) for side in sides)
    return less_than_the_peer(name, ours, "µs", peer=_PEER, peer_value=theirs)


def _check_the_same(wine: list[list[float]], *sides: Side) -> None:
    """All rows, one request each side: every prediction must be the other's."""
    answers: list[Any] = []
    for side in sides:
        body = orjson.dumps({"input_data": wine})
        answer = httpx.post(
            f"http://{side.host}:{side.port}{side.path}",
            content=body,
            headers=side.headers,
            timeout=10,
            trust_env=False,
        )
        answers.append(answer.raise_for_status().json())
    if answers[0] != answers[1]:
        differing = sum(a != b for a, b in zip(*answers, strict=False))
        raise NotTheSameError(
            f"{differing} of {len(wine)} predictions differ between {sides[0].name} and {sides[1].name}"
        )
