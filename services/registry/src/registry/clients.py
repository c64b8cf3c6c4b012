"""The registry's one neighbour: the scheduler, which knows what jobs have put out, and what was measured meanwhile."""

from __future__ import annotations

import re
from typing import Any, Final, Protocol
from urllib.parse import quote

from modelyard_platform.clients import ServiceClient
from registry.errors import InvalidError

_OUTPUT: Final = re.compile(r"^azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths/?(?P<path>.*))?$")


class Scheduler(Protocol):
    """Finds a job's outputs, and runs."""

    async def output_tree(self, workspace: str, path: str) -> tuple[str, str]:
        """Tree digest and path below its root of `azureml://jobs/<job>/outputs/<output>[/paths/<path>]`."""

    async def steps(self, workspace: str, job: str) -> list[dict[str, Any]]:
        """A job's steps, `{id, outputs, …}`. A step is the run of the same id."""

    async def run(self, workspace: str, id_: str) -> dict[str, Any]:
        """A run with its params and the latest point of each metric."""


class HttpScheduler:
    """The scheduler over HTTP."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def output_tree(self, workspace: str, path: str) -> tuple[str, str]:
        """Raises InvalidError for a path that does not name an output, NotFoundError for one that does not exist."""
        match = _OUTPUT.match(path)
        if match is None:
            raise InvalidError(f"{path!r} is not azureml://jobs/<job>/outputs/<output>[/paths/<path>]", path="path")
        answer = await self._client.get(f"/api/v1/jobs/{match['job']}/outputs/{match['output']}", workspace=workspace)
        return answer["tree"], match["path"] or ""

    async def steps(self, workspace: str, job: str) -> list[dict[str, Any]]:
        """Raises NotFoundError."""
        answer: dict[str, Any] = await self._client.get(f"/api/v1/jobs/{quote(job, safe='')}", workspace=workspace)
        return list(answer["steps"])

    async def run(self, workspace: str, id_: str) -> dict[str, Any]:
        """Raises NotFoundError."""
        answer: dict[str, Any] = await self._client.get(f"/api/v1/runs/{quote(id_, safe='')}", workspace=workspace)
        return answer
