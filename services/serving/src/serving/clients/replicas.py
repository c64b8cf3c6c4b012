"""Replicas' own listeners, spoken to directly: are they ready, and what do they have to say."""

from __future__ import annotations

import httpx

from modelyard_platform.errors import UnavailableError
from serving.clients.routes import Announcement


class Replicas:
    """Asks replicas at the addresses they announced."""

    def __init__(self) -> None:
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(10.0, connect=2.0))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def smoke(self, replica: Announcement, model: str) -> str | None:
        """What is wrong with a replica, or None when it is ready and knows the model it serves.

        The model itself was run by the replica's own warm-up, before it announced itself; running it again from here would put a
        made-up row among those collected.
        """
        for path in ("/v2/health/ready", f"/v2/models/{model}/ready"):
            try:
                answer = await self._http.get(_url(replica, path))
            except httpx.HTTPError as error:
                return f"the replica at {replica.host}:{replica.port} does not answer: {error!r}"
            if answer.status_code != httpx.codes.OK:
                return f"the replica at {replica.host}:{replica.port} answers {path} with {answer.status_code}: {answer.text[:500]}"
        return None

    async def listens(self, replica: Announcement) -> bool:
        """Whether anything answers at its address."""
        try:
            await self._http.get(_url(replica, "/v2/health/live"))
        except httpx.HTTPError:
            return False
        return True

    async def logs(self, replica: Announcement) -> str:
        """The end of a replica's log. Raises UnavailableError."""
        try:
            answer = await self._http.get(_url(replica, "/logs"))
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"the replica at {replica.host}:{replica.port} does not answer: {error!r}"
            ) from error
        return answer.text


def _url(replica: Announcement, path: str) -> str:
    return f"http://{replica.host}:{replica.port}{path}"
