"""The registry's one neighbour: the scheduler, which knows what jobs have put out."""

from __future__ import annotations

import re
from typing import Final, Protocol

from modelyard_platform.clients import ServiceClient
from registry.errors import InvalidError

_OUTPUT: Final = re.compile(r"^azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths/?(?P<path>.*))?$")


class Scheduler(Protocol):
    """Finds a job's outputs."""

    async def output_tree(self, workspace: str, path: str) -> tuple[str, str]:
        """Tree digest and path below its root of `azureml://jobs/<job>/outputs/<output>[/paths/<path>]`."""


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
