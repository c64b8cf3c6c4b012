"""The builder: environment locks, and what became of conversions."""

from __future__ import annotations

from typing import Any, Final

from modelyard_platform.cause import Cause
from modelyard_platform.clients import ServiceClient

_TIMEOUT_S: Final = 300.0


class Builder:
    """Every method raises PlatformError as the builder said it, UnavailableError when it does not answer."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def lock(self, environment: str | dict[str, Any], cause: Cause, key: str) -> str:
        """The digest of the lock of what a spec calls its environment; may take a minute."""
        answer = await self._client.request(
            "POST",
            "/api/v1/environment-locks",
            cause=cause,
            body={"spec": environment},
            idempotency_key=key,
            timeout_s=_TIMEOUT_S,
        )
        return str(answer["digest"])

    async def why_not_converted(self, name: str, version: str, workspace: str) -> str | None:
        """Why a model version will not be converted to ONNX, or None when it may be."""
        answer = await self._client.get(
            "/api/v1/conversions", workspace=workspace, params={"model": name, "version": version}
        )
        reasons = [
            item.get("detail") or "no reason given"
            for item in answer["items"]
            if item["status"] in ("failed", "skipped")
        ]
        return reasons[0] if reasons else None
