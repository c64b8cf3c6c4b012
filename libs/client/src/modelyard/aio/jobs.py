# Generated from modelyard.api.jobs by libs.client.generate_async: do not edit.
"""Jobs: submitted, followed, stopped, their outputs fetched."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Literal

from modelyard.aio import live
from modelyard.aio.http import Http
from modelyard.aio.specs import Specs
from modelyard.api.git import git_state
from modelyard.api.http import Documents, Json, quoted
from modelyard.api.jobs import _POLL_S, ENDED, LogChunk
from modelyard.api.specs import Prepared, SpecLike, overrides_of


class Jobs:
    """Jobs of a workspace. A job is a mapping: `name`, `status`, `steps`, `outputs`, `detail`, …

    Status: `submitted`, `running`, `finalizing`, then `completed`, `failed` or `canceled`.
    """

    def __init__(self, http: Http, specs: Specs) -> None:
        self._http = http
        self._specs = specs

    async def create(self, spec: SpecLike, **overrides: Any) -> Json:
        """Submit a command job or a pipeline, with its code and where in git that comes from.

        `overrides` go over the specification's keys; without a `name` there the job gets one.

        Raises:
            SpecError: the specification is wrong.
            ModelyardError: it was refused.
        """
        return await self.submit(await self._specs.prepare(spec, "job", overrides_of(overrides)))

    async def submit(self, prepared: Prepared) -> Json:
        """Submit what was prepared."""
        body = {"spec": prepared.spec, "git": await asyncio.to_thread(git_state, prepared.folder())}
        with prepared.blamed():
            answer: Json = await self._http.post("jobs", body)
        return answer

    async def get(self, name: str) -> Json:
        """One job with its steps and outputs."""
        answer: Json = await self._http.get(f"jobs/{quoted(name)}")
        return answer

    async def list(
        self,
        *,
        status: str | None = None,
        experiment: str | None = None,
        trigger: str | None = None,
        archived: Literal["false", "true", "only"] = "false",
        limit: int | None = None,
    ) -> Documents:
        """Jobs, newest first. `archived`: `"true"` gives those that are archived too, `"only"` gives no others."""
        params = {"status": status, "experiment": experiment, "trigger": trigger, "archived": archived}
        return [item async for item in self._http.pages("jobs", params, limit=limit)]

    async def steps(self, name: str) -> Documents:
        """A job's steps in the order of its specification."""
        return [item async for item in self._http.pages(f"jobs/{quoted(name)}/steps", limit=None)]

    async def update(
        self,
        name: str,
        *,
        display_name: str | None = None,
        experiment_name: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Json:
        """Change what is said of a job; what is None stays, empty text takes it away. `tags` take the place of all."""
        given = {
            "display_name": display_name,
            "experiment_name": experiment_name,
            "description": description,
            "tags": tags,
        }
        return await self._change(name, {key: value for key, value in given.items() if value is not None})

    async def archive(self, name: str) -> Json:
        """Hide a job that has ended from lists."""
        return await self._change(name, {"archived": True})

    async def restore(self, name: str) -> Json:
        """Bring an archived job back."""
        return await self._change(name, {"archived": False})

    async def cancel(self, name: str) -> Json:
        """Stop a job: nothing more of it is begun, and what runs is ended."""
        answer: Json = await self._http.post(f"jobs/{quoted(name)}/cancel")
        return answer

    async def wait(self, name: str, *, timeout_s: float) -> Json:
        """The job once it has ended, however it ended. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while (job := await self.get(name))["status"] not in ENDED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {name} is {job['status']} after {timeout_s:g} s")
            await asyncio.sleep(_POLL_S)
        return job

    async def logs(self, name: str, step: str | None = None) -> str:
        """Everything written so far."""
        return await self._http.text(f"jobs/{quoted(name)}/logs", {"step": step} if step else None)

    async def stream(self, name: str, step: str | None = None) -> AsyncIterator[LogChunk]:
        """What the steps write, from the beginning and as it comes, until the job has ended.

        The stream may break and begin again: what was given already is passed over.
        """
        given, position = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
        params: Json = {"follow": True} | ({"step": step} if step else {})
        events = live.follow(self._http, f"jobs/{quoted(name)}/logs", params, on_connect=position.clear)
        async for event in events:
            if event.event == "end":
                return
            if event.event != "log":
                continue
            chunk = LogChunk(**json.loads(event.data))
            place = (chunk.step, chunk.attempt)
            known = max(given[place] - position[place], 0)
            position[place] += len(chunk.text)
            given[place] = max(given[place], position[place])
            if chunk.text[known:]:
                yield LogChunk(chunk.step, chunk.attempt, chunk.stream, chunk.text[known:])

    async def outputs(self, name: str) -> dict[str, Json]:
        """The job's outputs by name: `{type, tree}`; `tree` is null while there is none."""
        found: dict[str, Json] = (await self.get(name))["outputs"]
        return found

    async def output(self, name: str, output: str) -> Json:
        """An output's `tree`, `size` and `files`. `step.output` names the output of one step."""
        answer: Json = await self._http.get(f"jobs/{quoted(name)}/outputs/{quoted(output)}")
        return answer

    async def download(self, name: str, output: str | None = None, *, target: str | Path = ".") -> Path:
        """One output, or all there are, into `<target>/named-outputs/<output>`, verified."""
        there = [label for label, found in (await self.outputs(name)).items() if found["tree"]]
        folder = Path(target) / "named-outputs"
        for label in [output] if output else there:
            await self._specs.trees.download((await self.output(name, label))["files"], folder / label)
        return folder

    async def _change(self, name: str, change: Json) -> Json:
        answer: Json = await self._http.patch(f"jobs/{quoted(name)}", change)
        return answer
