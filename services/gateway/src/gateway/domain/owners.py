"""Which service owns a route."""

from __future__ import annotations

from typing import Final, Literal

Owner = Literal["registry", "builder", "scheduler", "serving", "drift-monitor", "notifier"]

OWNERS: Final[dict[str, Owner]] = {
    "blobs": "registry",
    "models": "registry",
    "data": "registry",
    "environments": "registry",
    "components": "registry",
    "computes": "registry",
    "datastores": "registry",
    "connections": "registry",
    "promotions": "registry",
    "events": "registry",
    "why": "registry",
    "lineage": "registry",
    "audit": "registry",
    "tokens": "registry",
    "assets": "registry",
    "workspaces": "registry",
    "registries": "registry",
    "signing-key": "registry",
    "environment-locks": "builder",
    "conversions": "builder",
    "jobs": "scheduler",
    "triggers": "scheduler",
    "experiments": "scheduler",
    "runs": "scheduler",
    "logged-models": "scheduler",
    "artifacts": "scheduler",
    "endpoints": "serving",
    "monitors": "drift-monitor",
    "subscriptions": "notifier",
    "deliveries": "notifier",
}
"""The first part of a path below `/api/v1/`, and the service that answers it."""


def owner_of(path: str) -> Owner | None:
    """The service that answers a path below `/api/v1/`."""
    return OWNERS.get(path.split("/", 1)[0])
