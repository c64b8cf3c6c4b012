"""A lineage graph put straight into the registry's tables: what walking it is measured on."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg

_EVENTS: Final = (
    "event_id", "workspace", "type", "subject", "sequence", "time", "actor", "correlation_id", "data",
)  # fmt: skip
_EDGES: Final = ("workspace", "source", "relation", "target", "since", "event_id", "holder", "sequence")
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LOCKS, _DATA, _JOBS_OF_A_SNAPSHOT, _SNAPSHOTS_OF_A_COMMIT, _DEPLOYED = 200, 2000, 5, 2, 10


def _digest(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Graph:
    """A job for each of `versions` model versions, three data versions read by each, a tenth of the versions deployed and seen to
    drift, each drift the reason of a later job: about ten edges and four events for each version."""

    workspace: str
    versions: int
    each: int = 50

    def model(self, number: int) -> str:
        """The node of a model version."""
        names = max(1, self.versions // self.each)
        return f"models/model-{number % names:05d}/versions/{number // names + 1}"

    def node(self, dice: random.Random) -> str:
        """Something to ask for."""
        number = dice.randrange(self.versions)
        deployed = number - number % _DEPLOYED
        data = f"data/data-{dice.randrange(_DATA):04d}/versions/1"
        return dice.choice((self.model(number), f"jobs/job_{number}", f"endpoints/endpoint-{deployed}", data))

    def edges(self) -> Iterator[tuple[Any, ...]]:
        """The rows of the table `edges`."""
        dice = random.Random(11)
        for number in range(self.versions):
            job, model = f"jobs/job_{number}", self.model(number)
            lock, package = f"locks/{_digest(f'lock {number % _LOCKS}')}", f"packages/{_digest(model)}"
            snapshot = number // _JOBS_OF_A_SNAPSHOT
            code = f"code/{_digest(f'code {snapshot}')}"
            if number % _JOBS_OF_A_SNAPSHOT == 0:
                yield self._edge(
                    number, f"commits/{_digest(f'commit {snapshot // _SNAPSHOTS_OF_A_COMMIT}')[:40]}", "snapshot", code
                )
            yield self._edge(number, code, "ran", job)
            for data in dice.sample(range(_DATA), 3):
                yield self._edge(number, f"data/data-{data:04d}/versions/1", "input", job)
            yield self._edge(number, lock, "environment", job)
            yield self._edge(number, lock, "environment", model)
            yield self._edge(number, job, "made", model)
            yield self._edge(number, model, "package", package)
            if number % _DEPLOYED == 0:
                yield from self._deployed(number, model, package)

    def _deployed(self, number: int, model: str, package: str) -> Iterator[tuple[Any, ...]]:
        endpoint, drift = f"endpoints/endpoint-{number}", f"drift/{UUID(int=number)}"
        deployment = f"{endpoint}/deployments/blue"
        yield self._edge(number, model, "deployed", deployment, deployment)
        yield self._edge(number, package, "deployed", deployment, deployment)
        yield self._edge(number, deployment, "part_of", endpoint, deployment)
        yield self._edge(number, deployment, "answers", endpoint, endpoint)
        yield self._edge(number, endpoint, "showed", drift)
        yield self._edge(number, deployment, "showed", drift)
        if number + _DEPLOYED < self.versions:
            yield self._edge(number, drift, "triggered", f"jobs/job_{number + _DEPLOYED}")

    def _edge(self, number: int, source: str, relation: str, target: str, holder: str | None = None) -> tuple[Any, ...]:
        return (self.workspace, source, relation, target, _at(number), UUID(int=number), holder, 1)

    def events(self) -> Iterator[tuple[Any, ...]]:
        """The rows of the table `events`."""
        for number in range(self.versions):
            job, model = f"job_{number}", self.model(number)
            about = {"job": job, "kind": "pipeline", "display_name": "train", "experiment": "delays"}
            _, name, _, version = model.split("/")
            yield self._event(4 * number, number, "job.submitted", f"jobs/{job}", 1, about | {"commit": "c" * 40})
            yield self._event(4 * number + 1, number, "job.started", f"jobs/{job}", 2, about)
            yield self._event(4 * number + 2, number, "job.completed", f"jobs/{job}", 3, about | {"outputs": {}})
            registered = {"name": name, "version": version, "job": job}
            yield self._event(4 * number + 3, number, "model.registered", model, 1, registered)

    def _event(
        self, id_: int, number: int, type_: str, subject: str, sequence: int, data: dict[str, Any]
    ) -> tuple[Any, ...]:
        who = f"user:person-{number % 40}"
        return (
            UUID(int=id_),
            self.workspace,
            type_,
            subject,
            sequence,
            _at(number),
            who,
            f"story-{number}",
            json.dumps(data),
        )


def _at(number: int) -> datetime:
    return _BEGAN + timedelta(minutes=number)


async def fill(connection: asyncpg.Connection[asyncpg.Record], graph: Graph) -> None:
    """Put a graph into the registry's tables and let the planner know. The connection is the registry's role's."""
    async with connection.transaction():
        await connection.copy_records_to_table("events", columns=_EVENTS, records=graph.events(), timeout=600)
        await connection.copy_records_to_table("edges", columns=_EDGES, records=graph.edges(), timeout=600)
    await connection.execute("vacuum analyze events", timeout=600)
    await connection.execute("vacuum analyze edges", timeout=600)
