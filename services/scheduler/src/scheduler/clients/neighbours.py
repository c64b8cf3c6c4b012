"""Registry and builder over HTTP."""

from __future__ import annotations

from typing import Any, Final, Literal, NewType

from modelyard_platform.cause import Cause
from modelyard_platform.clients import ServiceClient

Lock = NewType("Lock", str)
Collection = Literal["models", "data", "environments", "components"]

_LOCK_TIMEOUT_S: Final = 300.0
_CHECK_TIMEOUT_S: Final = 120.0


def _scope(registry: str | None) -> str:
    return "/api/v1" if registry is None else f"/api/v1/registries/{registry}"


class Registry:
    """Finds and registers assets."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def version(
        self, workspace: str, collection: Collection, name: str, version: str, registry: str | None = None
    ) -> dict[str, Any]:
        """One version, of the workspace or of a shared registry. Raises PlatformError (`not_found`, with what exists)."""
        path = f"{_scope(registry)}/{collection}/{name}/versions/{version}"
        found: dict[str, Any] = await self._client.get(path, workspace=workspace)
        return found

    async def label(
        self, workspace: str, collection: Collection, name: str, label: str, registry: str | None = None
    ) -> dict[str, Any]:
        """The version called `latest`, `champion` …  Raises PlatformError (`not_found`, with what exists)."""
        path = f"{_scope(registry)}/{collection}/{name}/labels/{label}"
        found: dict[str, Any] = await self._client.get(path, workspace=workspace)
        return found

    async def look_outside(self, workspace: str, url: str, recorded: dict[str, Any] | None = None) -> dict[str, Any]:
        """What is at an address outside, as a step's input records it. Raises PlatformError: `external_changed` when it is not what
        was `recorded`, `external_forbidden`, `external_unavailable` …"""
        body = {"url": url, "recorded": recorded}
        found: dict[str, Any] = await self._client.request(
            "POST", "/internal/v1/external", workspace=workspace, body=body, timeout_s=_CHECK_TIMEOUT_S
        )
        return found

    async def register(self, collection: Collection, body: dict[str, Any], cause: Cause, key: str) -> dict[str, Any]:
        """A new version, once for each key. Raises PlatformError."""
        made: dict[str, Any] = await self._client.request(
            "POST", f"/api/v1/{collection}", cause=cause, body=body, idempotency_key=key
        )
        return made


class Builder:
    """Locks environments."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def lock(self, spec: dict[str, Any] | str, cause: Cause, key: str) -> Lock:
        """The digest of the environment's lock; may take a minute. Raises PlatformError (`invalid`: it cannot be resolved)."""
        answer = await self._client.request(
            "POST", "/api/v1/environment-locks", cause=cause, body={"spec": spec}, idempotency_key=key,
            timeout_s=_LOCK_TIMEOUT_S,
        )  # fmt: skip
        return Lock(answer["digest"])
