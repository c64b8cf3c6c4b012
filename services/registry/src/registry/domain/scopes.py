"""Scopes: workspaces, which are isolated from one another, and shared registries beside them."""

from __future__ import annotations

import re
from typing import Final

from registry.errors import InvalidError

FIRST: Final = "default"
"""The workspace an installation begins with; its owners make the others."""
CURATED: Final = "azureml"
"""The registry whose environments the builder knows by name."""

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")


def check_scope(name: str, what: str) -> str:
    """The name itself. Raises InvalidError. A name is a part of event subjects, so it has no dots."""
    if not _NAME.fullmatch(name) or name == "registries":
        raise InvalidError(
            f"{what} {name[:80]!r} is not allowed: 1 to 63 of A-Z a-z 0-9 _ -, beginning with a letter or digit",
            path="name",
        )
    return name


def registry_scope(registry: str) -> str:
    """What stands in the place of a workspace for a shared registry."""
    return f"registries/{registry}"


def is_registry(scope: str) -> bool:
    """Whether a scope is a shared registry, not a workspace."""
    return scope.startswith("registries/")


BEGINS: Final = (
    "endpoint.created",
    "deployment.requested",
    "job.submitted",
    "trigger.updated",
    "monitor.updated",
    "subscription.updated",
    "compute.updated",
    "datastore.updated",
    "connection.updated",
)
"""Events that tell of something that stands in a workspace from then on …"""
ENDS: Final = (
    "endpoint.deleted",
    "deployment.deleted",
    "job.completed",
    "job.failed",
    "job.canceled",
    "trigger.deleted",
    "monitor.deleted",
    "subscription.deleted",
    "compute.deleted",
    "datastore.deleted",
    "connection.deleted",
)
"""… until one of these about the same subject."""
