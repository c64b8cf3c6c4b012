"""An endpoint of the running stack with its traffic split over two deployments that keep what they score."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import nats
import orjson

from modelyard import Client
from modelyard.stack import parts
from tests.benchmarks.stack import Stack

NAME: Final = "benchmark"
SPLIT: Final[Mapping[str, int]] = {"blue": 50, "green": 50}
_READY_S: Final = 120.0
_ROUTED_S: Final = 30.0
_COLLECTED: Final = "modelyard_replica_rows_collected_total"
_DROPPED: Final = "modelyard_replica_rows_dropped_total"


class EndpointError(Exception):
    """The endpoint is not what the benchmark is about."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where to score, and one of its keys."""

    host: str
    port: int
    path: str
    key: str


def make(stack: Stack, model: Path) -> Endpoint:
    """Register the model, deploy it twice, split the traffic and wait until both answer.

    Raises:
        EndpointError: a deployment does not become ready, or the split does not reach the edge.
        modelyard.ModelyardError: something was refused.
    """
    with Client(stack.url, stack.token) as client:
        version = client.models.create({"name": NAME, "type": "custom_model", "path": str(model)})
        client.endpoints.create({"name": NAME, "auth_mode": "key"})
        for deployment in SPLIT:
            client.deployments.create(_deployment(deployment, version["version"]), wait=False)
        for deployment in SPLIT:
            found = client.deployments.wait(NAME, deployment, timeout_s=_READY_S)
            if found["status"] != "ready":
                raise EndpointError(f"deployment {deployment} is {found['status']}: {found['detail']}")
        client.endpoints.set_traffic(NAME, SPLIT)
        key = client.endpoints.keys(NAME)["primaryKey"]
        uri = urlsplit(client.endpoints.get(NAME)["scoring_uri"])
    assert uri.hostname is not None
    assert uri.port is not None
    endpoint = Endpoint(host=uri.hostname, port=uri.port, path=uri.path, key=key)
    _wait_until_both_answer(endpoint)
    return endpoint


def _deployment(name: str, version: str) -> dict[str, Any]:
    collected = {"enabled": "true"}
    return {
        "name": name,
        "endpoint_name": NAME,
        "model": f"azureml:{NAME}:{version}",
        "instance_type": "any",
        "instance_count": 1,
        "data_collector": {
            "collections": {"model_inputs": collected, "model_outputs": collected},
            "sampling_rate": 1.0,
        },
    }


def _wait_until_both_answer(endpoint: Endpoint) -> None:
    deadline = time.monotonic() + _ROUTED_S
    body = orjson.dumps({"input_data": [[0.0] * 13]})
    answered: set[str] = set()
    said = ""
    with httpx.Client(base_url=f"http://{endpoint.host}:{endpoint.port}", timeout=5, trust_env=False) as http:
        while answered != SPLIT.keys():
            if time.monotonic() > deadline:
                raise EndpointError(
                    f"after {_ROUTED_S:g} s only {answered or 'nobody'} answers {endpoint.path}: {said}"
                )
            answer = http.post(endpoint.path, content=body, headers={"Authorization": f"Bearer {endpoint.key}"})
            if answer.is_success:
                answered.add(answer.headers["azureml-model-deployment"])
            else:
                said = answer.text
                time.sleep(0.1)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows that were scored since the replicas started: kept for monitoring, or dropped because the ring was full."""

    collected: int
    dropped: int


def rows(stack: Stack) -> Rows:
    """The sum over all replicas of the endpoint, from their own metrics."""
    totals = {_COLLECTED: 0, _DROPPED: 0}
    for address in asyncio.run(_replicas(stack)):
        answer = httpx.get(f"{address}/metrics", timeout=5, trust_env=False).raise_for_status()
        for line in answer.text.splitlines():
            name, _, value = line.rpartition(" ")
            if name in totals:
                totals[name] += int(value)
    return Rows(collected=totals[_COLLECTED], dropped=totals[_DROPPED])


async def _replicas(stack: Stack) -> list[str]:
    """Their addresses, from the bucket that the edges follow."""
    connection = await nats.connect(parts.nats_url(stack.layout), connect_timeout=5, allow_reconnect=False)
    try:
        bucket = await connection.jetstream().key_value("routes")
        keys = [key for key in await bucket.keys() if key.startswith(f"replica.{NAME}.")]
        entries = [orjson.loads((await bucket.get(key)).value or b"") for key in keys]
        return [f"http://{entry['host']}:{entry['port']}" for entry in entries]
    finally:
        await connection.close()
