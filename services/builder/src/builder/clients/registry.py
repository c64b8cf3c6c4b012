"""The registry over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from modelyard_platform.clients import ServiceClient


class Registry:
    """Reads versions of assets."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def version(
        self,
        kind: Literal["models", "environments"],
        workspace: str,
        name: str,
        version: str,
        registry: str | None = None,
    ) -> dict[str, Any]:
        """A version as the registry answers it, of the workspace or of a shared registry; `version` may be `@label`.

        Raises NotFoundError, UnavailableError.
        """
        scope = "/api/v1" if registry is None else f"/api/v1/registries/{registry}"
        where = f"labels/{version[1:]}" if version.startswith("@") else f"versions/{version}"
        found: dict[str, Any] = await self._client.get(f"{scope}/{kind}/{name}/{where}", workspace=workspace)
        return found
