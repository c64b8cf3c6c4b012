"""What every use case of the MLflow API is given: who asks, and the services to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from gateway.clients import Upstreams, problem_of
from modelyard_platform.cause import Identity


@dataclass(frozen=True, slots=True)
class Session:
    """One request of an MLflow client."""

    upstreams: Upstreams
    caller: Identity
    headers: httpx.Headers

    async def scheduler(self, method: str, path: str, body: Any = None, *, query: dict[str, Any] | None = None) -> Any:
        """Experiments, runs, logged models and artifacts. Raises PlatformError as the scheduler says it."""
        return await self.upstreams.call(
            "scheduler", self.caller, method, f"/api/v1/{path}", body=body, query=query, headers=self.headers
        )

    async def registry(self, method: str, path: str, body: Any = None, *, query: dict[str, Any] | None = None) -> Any:
        """Models and their versions. Raises PlatformError as the registry says it."""
        return await self.upstreams.call(
            "registry", self.caller, method, f"/api/v1/{path}", body=body, query=query, headers=self.headers
        )

    async def put_blob(self, digest: str, pieces: Sequence[bytes], size: int) -> None:
        """Store `size` bytes, in pieces, whose sha256 is `digest`. Raises PlatformError as the registry says it."""

        async def body() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        headers = httpx.Headers({"content-type": "application/octet-stream", "content-length": str(size)})
        path = f"/api/v1/blobs/{digest}"
        answer = await self.upstreams.send("registry", self.caller, "PUT", path, headers=headers, body=body())
        try:
            await answer.aread()
        finally:
            await answer.aclose()
        if not answer.is_success:
            raise problem_of(answer)

    async def open_blob(self, digest: str) -> httpx.Response:
        """A blob's bytes, to be read and closed. Raises PlatformError as the registry says it."""
        answer = await self.upstreams.send("registry", self.caller, "GET", f"/api/v1/blobs/{digest}")
        if not answer.is_success:
            try:
                await answer.aread()
            finally:
                await answer.aclose()
            raise problem_of(answer)
        return answer


def part(text: str) -> str:
    """One part of a path, whatever it holds."""
    return quote(text, safe="@")
