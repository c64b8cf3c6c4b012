"""Environment locks, made by the builder."""

from __future__ import annotations

from typing import Any, Final

from modelyard_platform.cause import Cause
from modelyard_platform.clients import ServiceClient

_TIMEOUT_S: Final = 300.0


class Environments:
    """Asks the builder for the lock of what a spec calls its environment."""

    def __init__(self, builder: ServiceClient) -> None:
        self._builder = builder

    async def lock(self, environment: str | dict[str, Any], cause: Cause, key: str) -> str:
        """The digest of an environment's lock; may take a minute. Raises PlatformError as the builder said it."""
        answer = await self._builder.request(
            "POST",
            "/api/v1/environment-locks",
            cause=cause,
            body={"spec": environment},
            idempotency_key=key,
            timeout_s=_TIMEOUT_S,
        )
        return str(answer["digest"])
