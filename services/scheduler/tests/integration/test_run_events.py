"""Whatever happens to a job, the runs it is for OpenLineage end: whoever draws them never sees one that stays open."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from openlineage.client.event_v2 import RunEvent, RunState
from services.notifier.tests.openlineage import rebuilt
from services.scheduler.tests.support import ENDED, ENVIRONMENT, World, events_of

from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer
from notifier.domain.openlineage import run_event

TERMINAL: Final = frozenset({RunState.COMPLETE, RunState.FAIL, RunState.ABORT})
JOBS: Final = 24


@dataclass
class Story:
    """A pipeline of random shape to which random things happen. `told` is what happened, for who reads a failure."""

    world: World
    runner: httpx.AsyncClient
    chance: random.Random
    told: list[str] = field(default_factory=list)

    async def submit(self, number: int) -> str:
        """a, b, c …: each may need some of those before it; with `unsolvable` in it one's environment cannot be made."""
        jobs: dict[str, Any] = {}
        for name in "abcde"[: self.chance.randint(1, 5)]:
            needs = [other for other in jobs if self.chance.random() < 0.4]
            package = "unsolvable" if self.chance.random() < 0.05 else "pandas"
            what = number if self.chance.random() < 0.8 else "as before"
            jobs[name] = {
                "type": "command",
                "command": " ".join([f"{name} {what}", *(f"${{{{inputs.{other}}}}}" for other in needs)]),
                "environment": {"conda_file": ENVIRONMENT["conda_file"] | {"name": package}},
                "inputs": {other: f"${{{{parent.jobs.{other}.outputs.out}}}}" for other in needs},
                "outputs": {"out": {"type": "uri_folder"}},
            }  # fmt: skip
        settings = {"continue_on_step_failure": self.chance.random() < 0.5}
        job = await self.world.submit({"type": "pipeline", "settings": settings, "jobs": jobs})
        self.told.append(f"{job['name']}: {jobs} {settings}")
        return str(job["name"])

    async def live(self, name: str) -> None:
        """Let things happen to the job until it has ended."""
        while True:
            job = await self.world.until(name, _at_rest)
            if job["status"] in ENDED:
                return
            active = [step for step in job["steps"] if step["status"] in ("queued", "running")]
            what = self.chance.choice(["start", "start", "finish", "finish", "fail", "cancel"])
            step = self.chance.choice(active)
            self.told.append(f"{name}: {what} {step['name']} ({step['status']})")
            if what == "cancel":
                if self.chance.random() < 0.3:
                    await self.world.scheduler.post(f"/api/v1/jobs/{name}/cancel")
                continue
            path = f"/internal/v1/steps/{UUID(step['id']).hex}/attempts/{step['attempt']}"
            for _ in range(self.chance.randint(1, 2)):  # reports are repeated
                if what == "start":
                    await self.runner.post(f"{path}/started", json={"node": "here"})
                else:
                    result = {"status": "completed", "outputs": {"out": "0" * 64}}
                    failed = {"status": "failed", "exit_code": 3, "reason": "exit code 3"}
                    await self.runner.post(f"{path}/finished", json=result if what == "finish" else failed)


def _at_rest(job: dict[str, Any]) -> bool:
    """It has ended, or somebody has to do something for it to go on."""
    return job["status"] in ENDED or any(step["status"] in ("queued", "running") for step in job["steps"])


@pytest.mark.timeout(120)
async def test_every_run_that_starts_ends_once(world: World) -> None:
    async with httpx.AsyncClient(base_url=world.url, headers=bearer("service", "service:runner")) as runner:
        story = Story(world, runner, random.Random(7))
        names = [await story.submit(number) for number in range(JOBS)]
        for name in names:
            await story.live(name)

    async def told() -> list[Any] | None:
        events = await events_of(world.nats_url)
        over = {event.data.job for event in events if event.type.split(".")[1:3] in (["job", one] for one in ENDED)}
        return events if over >= set(names) else None

    found = await eventually(told)
    assert found is not None
    runs: dict[str, list[RunEvent]] = defaultdict(list)
    for event in found:
        document = run_event(event)
        if document is not None:
            runs[document["run"]["runId"]].append(rebuilt(document))
    seen = {state for events in runs.values() for state in _states(events)}
    assert seen == {RunState.START, RunState.RUNNING, *TERMINAL}, "every kind of end has come up"
    odd = {events[0].job.name: _states(events) for events in runs.values() if not _is_whole(_states(events))}
    assert not odd, f"{odd}\n" + "\n".join(
        line for line in story.told if line.split(":")[0] in {one.split(".")[0] for one in odd}
    )


def _states(events: list[RunEvent]) -> list[RunState | None]:
    return [event.eventType for event in events]


def _is_whole(states: list[RunState | None]) -> bool:
    """At most one START, which is the first; one end, which is the last. What never began only ends."""
    ends = [state for state in states if state in TERMINAL]
    return len(ends) == 1 and states[-1] == ends[0] and RunState.START not in states[1:]
