"""The registry over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from modelyard_platform.clients import ServiceClient


class Registry:
    """Reads versions of assets."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def version(
        self, kind: Literal["models", "environments"], workspace: str, name: str, version: str
    ) -> dict[str, Any]:
        """A version as the registry answers it; `version` may be `@label`. Raises NotFoundError, UnavailableError."""
        where = f"labels/{version[1:]}" if version.startswith("@") else f"versions/{version}"
        found: dict[str, Any] = await self._client.get(f"/api/v1/{kind}/{name}/{where}", workspace=workspace)
        return found
