"""Experiments, runs and the models that runs log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Final, Literal
from uuid import uuid4

from scheduler.errors import RunError

RunStatus = Literal["scheduled", "running", "finished", "failed", "killed"]
ModelStatus = Literal["pending", "ready", "failed"]
Lifecycle = Literal["active", "deleted", "all"]
Role = Literal["input", "output"]

DEFAULT_EXPERIMENT: Final = "Default"
"""The experiment of whatever names none: number 0 of every workspace."""

MAX_PATH: Final = 1024
"""An artifact's path, as a file's in a tree."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """What runs are gathered under. `location` is where their artifacts go when that is not here."""

    id: int
    name: str
    location: str | None
    tags: dict[str, str]
    deleted_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One point of a metric. `timestamp` is in milliseconds since 1970, `step` counts as the client pleases."""

    key: str
    value: float
    timestamp: int
    step: int = 0
    model: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A dataset as a run names it."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLink:
    """A logged model that a run read or made."""

    role: Role
    model: str
    step: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run. `artifacts` is the path its files lie under, `job` the job that it belongs to; `metrics` are the latest points."""

    position: int
    id: str
    experiment: int
    name: str
    status: RunStatus
    job: str | None
    artifacts: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[dict[str, Any]]
    datasets: list[dict[str, Any]]
    models: list[dict[str, Any]]
    deleted_at: datetime | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoggedModel:
    """A model that a run has logged, before it is a registered version. `run` is the run that made it."""

    position: int
    id: str
    experiment: int
    name: str
    type: str | None
    status: ModelStatus
    run: str | None
    artifacts: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[dict[str, Any]]
    deleted_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """What is looked for. Conditions and orders are checked already; `offset` says how many were seen before."""

    conditions: list[dict[str, Any]]
    order: list[dict[str, Any]]
    lifecycle: Lifecycle
    offset: int
    limit: int

    def equal(self, field: str) -> dict[str, str]:
        """The conditions `field = text`: those an index answers."""
        return {
            one["key"]: one["value"]
            for one in self.conditions
            if one["field"] == field and one["op"] == "=" and isinstance(one["value"], str)
        }

    def one_more(self) -> Search:
        """The same with one more result, which tells whether there is another page."""
        return replace(self, limit=self.limit + 1)


def check_artifact_path(path: str) -> str:
    """The path itself when it is plain and relative. Raises RunError."""
    parts = PurePosixPath(path).parts
    if not path or len(path) > MAX_PATH or path.startswith("/") or "\\" in path or "\0" in path or ".." in parts:
        raise RunError(f"{path[:200]!r} is no plain relative path (no leading slash, no .., no backslash)", path="path")
    if path != "/".join(parts):
        raise RunError(f"{path[:200]!r} is to be written {'/'.join(parts)!r}", path="path")
    return path


def run_artifacts(experiment: Experiment, run: str) -> str:
    """Where a run's files lie."""
    return f"{experiment.location or experiment.id}/{run}/artifacts"


def model_artifacts(experiment: Experiment, model: str) -> str:
    """Where a logged model's files lie."""
    return f"{experiment.location or experiment.id}/models/{model}/artifacts"


def new_run_id() -> str:
    """32 hex characters."""
    return uuid4().hex


def new_model_id() -> str:
    """`m-` and 32 hex characters."""
    return f"m-{uuid4().hex}"


def check_params(known: dict[str, str], given: dict[str, str], of: str) -> None:
    """A param keeps its first value. Raises RunError."""
    for key, value in given.items():
        if known.get(key, value) != value:
            raise RunError(
                f"a param's value cannot be changed: {key!r} of {of} is {known[key]!r}, not {value!r}", code="param_set"
            )
