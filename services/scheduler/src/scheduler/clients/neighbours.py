"""Registry and builder over HTTP."""

from __future__ import annotations

from typing import Any, Final, Literal, NewType

from modelyard_platform.cause import Cause
from modelyard_platform.clients import ServiceClient

Lock = NewType("Lock", str)
Collection = Literal["models", "data", "environments", "components"]

_LOCK_TIMEOUT_S: Final = 300.0


class Registry:
    """Finds and registers assets."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def version(self, workspace: str, collection: Collection, name: str, version: str) -> dict[str, Any]:
        """One version. Raises PlatformError (`not_found`, with what exists)."""
        found: dict[str, Any] = await self._client.get(
            f"/api/v1/{collection}/{name}/versions/{version}", workspace=workspace
        )
        return found

    async def label(self, workspace: str, collection: Collection, name: str, label: str) -> dict[str, Any]:
        """The version called `latest`, `champion` …  Raises PlatformError (`not_found`, with what exists)."""
        found: dict[str, Any] = await self._client.get(
            f"/api/v1/{collection}/{name}/labels/{label}", workspace=workspace
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
