"""An endpoint: a stable address with keys, over deployments that share its traffic."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, assert_never

from serving.domain.deployments import Deployment
from serving.errors import DeploymentNotFoundError, NotReadyError, TrafficInvalidError

KeyType = Literal["primary", "secondary"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """`traffic` is percent by deployment, without zeros: it is empty or adds up to 100. `revision` counts what edges have to know."""

    workspace: str
    name: str
    spec: dict[str, Any]
    traffic: dict[str, int]
    primary_generation: int = 1
    secondary_generation: int = 1
    revision: int = 1
    deleting: bool = False
    cause: dict[str, Any]
    created_by: str
    created_at: datetime


def key(secret: str, endpoint: Endpoint, which: KeyType) -> str:
    """An endpoint's key: derived (HMAC-SHA256, RFC 2104), so that it can be shown again and is stored nowhere."""
    match which:
        case "primary":
            generation = endpoint.primary_generation
        case "secondary":
            generation = endpoint.secondary_generation
        case _:
            assert_never(which)
    message = f"endpoint/{endpoint.name}/{which}/{generation}"
    digest = hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def key_hash(value: str) -> str:
    """What edges are told of a key."""
    return hashlib.sha256(value.encode()).hexdigest()


def regenerated(endpoint: Endpoint, which: KeyType) -> Endpoint:
    """With a new key of that type; the old one stops working when the edges know."""
    match which:
        case "primary":
            changed = replace(endpoint, primary_generation=endpoint.primary_generation + 1)
        case "secondary":
            changed = replace(endpoint, secondary_generation=endpoint.secondary_generation + 1)
        case _:
            assert_never(which)
    return replace(changed, revision=endpoint.revision + 1)


def split(endpoint: Endpoint, wanted: Mapping[str, int], deployments: Mapping[str, Deployment]) -> Endpoint:
    """The endpoint with another traffic split, or itself when the split is the same.

    Raises TrafficInvalidError, DeploymentNotFoundError, NotReadyError: traffic goes to what has proved to work, and to nothing else.
    """
    for name, percent in wanted.items():
        if not 0 <= percent <= 100:
            raise TrafficInvalidError(f"{name} cannot get {percent} %: a share is 0 to 100", f"traffic.{name}")
    total = sum(wanted.values())
    if total not in (0, 100):
        shares = ", ".join(f"{name}={percent}" for name, percent in wanted.items())
        raise TrafficInvalidError(f"the traffic adds up to {total} ({shares}), not to 100, or to 0 for none")
    for name, percent in wanted.items():
        deployment = deployments.get(name)
        if deployment is None:
            raise DeploymentNotFoundError(endpoint.name, name, deployments)
        if percent and (deployment.live is None or deployment.status == "deleting"):
            raise NotReadyError(name, deployment.state)
    traffic = {name: percent for name, percent in sorted(wanted.items()) if percent}
    if traffic == endpoint.traffic:
        return endpoint
    return replace(endpoint, traffic=traffic, revision=endpoint.revision + 1)


def route(
    endpoint: Endpoint, deployments: Mapping[str, Deployment], secret: str, max_body_bytes: int
) -> dict[str, Any]:
    """What the edges are told: the entry `endpoint.<name>` of the `routes` bucket.

    `generations` says which replicas count: a newer generation that announces itself is not live before it is in here.
    """
    live = {
        name: deployment.live
        for name, deployment in sorted(deployments.items())
        if deployment.live is not None and deployment.status != "deleting"
    }
    timeouts = [generation.plan["timeout_ms"] for generation in live.values() if generation.plan]
    return {
        "name": endpoint.name,
        "traffic": endpoint.traffic,
        "keys": [key_hash(key(secret, endpoint, which)) for which in ("primary", "secondary")],
        "deployments": list(live),
        "generations": {name: generation.number for name, generation in live.items()},
        "max_body_bytes": max_body_bytes,
        "timeout_ms": max(timeouts, default=5_000),
        "revision": endpoint.revision,
    }
