"""Jobs: submitted, followed, stopped, their outputs fetched."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from modelyard.api import live
from modelyard.api.git import git_state
from modelyard.api.http import Documents, Http, Json, quoted
from modelyard.api.specs import Prepared, SpecLike, Specs, overrides_of

ENDED: Final = frozenset({"completed", "failed", "canceled"})
_POLL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Some of what a step has written: whole lines as a rule. `stream` is `stdout` or `stderr`."""

    step: str
    attempt: int
    stream: str
    text: str


class Jobs:
    """Jobs of a workspace. A job is a mapping: `name`, `status`, `steps`, `outputs`, `detail`, …

    Status: `submitted`, `running`, `finalizing`, then `completed`, `failed` or `canceled`.
    """

    def __init__(self, http: Http, specs: Specs) -> None:
        self._http = http
        self._specs = specs

    def create(self, spec: SpecLike, **overrides: Any) -> Json:
        """Submit a command job or a pipeline, with its code and where in git that comes from.

        `overrides` go over the specification's keys; without a `name` there the job gets one.

        Raises:
            SpecError: the specification is wrong.
            ModelyardError: it was refused.
        """
        return self.submit(self._specs.prepare(spec, "job", overrides_of(overrides)))

    def submit(self, prepared: Prepared) -> Json:
        """Submit what was prepared."""
        body = {"spec": prepared.spec, "git": git_state(prepared.folder())}
        with prepared.blamed():
            answer: Json = self._http.post("jobs", body)
        return answer

    def get(self, name: str) -> Json:
        """One job with its steps and outputs."""
        answer: Json = self._http.get(f"jobs/{quoted(name)}")
        return answer

    def list(
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
        return [*self._http.pages("jobs", params, limit=limit)]

    def steps(self, name: str) -> Documents:
        """A job's steps in the order of its specification."""
        return [*self._http.pages(f"jobs/{quoted(name)}/steps", limit=None)]

    def update(
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
        return self._change(name, {key: value for key, value in given.items() if value is not None})

    def archive(self, name: str) -> Json:
        """Hide a job that has ended from lists."""
        return self._change(name, {"archived": True})

    def restore(self, name: str) -> Json:
        """Bring an archived job back."""
        return self._change(name, {"archived": False})

    def cancel(self, name: str) -> Json:
        """Stop a job: nothing more of it is begun, and what runs is ended."""
        answer: Json = self._http.post(f"jobs/{quoted(name)}/cancel")
        return answer

    def wait(self, name: str, *, timeout_s: float) -> Json:
        """The job once it has ended, however it ended. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while (job := self.get(name))["status"] not in ENDED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"job {name} is {job['status']} after {timeout_s:g} s")
            time.sleep(_POLL_S)
        return job

    def logs(self, name: str, step: str | None = None) -> str:
        """Everything written so far."""
        return self._http.text(f"jobs/{quoted(name)}/logs", {"step": step} if step else None)

    def stream(self, name: str, step: str | None = None) -> Iterator[LogChunk]:
        """What the steps write, from the beginning and as it comes, until the job has ended.

        The stream may break and begin again: what was given already is passed over.
        """
        given, position = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
        params: Json = {"follow": True} | ({"step": step} if step else {})
        events = live.follow(self._http, f"jobs/{quoted(name)}/logs", params, on_connect=position.clear)
        for event in events:
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

    def outputs(self, name: str) -> dict[str, Json]:
        """The job's outputs by name: `{type, tree}`; `tree` is null while there is none."""
        found: dict[str, Json] = self.get(name)["outputs"]
        return found

    def output(self, name: str, output: str) -> Json:
        """An output's `tree`, `size` and `files`. `step.output` names the output of one step."""
        answer: Json = self._http.get(f"jobs/{quoted(name)}/outputs/{quoted(output)}")
        return answer

    def download(self, name: str, output: str | None = None, *, target: str | Path = ".") -> Path:
        """One output, or all there are, into `<target>/named-outputs/<output>`, verified."""
        there = [label for label, found in self.outputs(name).items() if found["tree"]]
        folder = Path(target) / "named-outputs"
        for label in [output] if output else there:
            self._specs.trees.download(self.output(name, label)["files"], folder / label)
        return folder

    def _change(self, name: str, change: Json) -> Json:
        answer: Json = self._http.patch(f"jobs/{quoted(name)}", change)
        return answer
