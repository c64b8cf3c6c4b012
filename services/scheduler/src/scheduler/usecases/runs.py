"""Runs: begun, logged to, looked at, deleted and restored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import InvalidError
from scheduler.domain import names
from scheduler.domain.runs import (
    Dataset,
    Metric,
    ModelLink,
    Run,
    RunStatus,
    Search,
    check_params,
    new_run_id,
    run_artifacts,
)
from scheduler.store import metrics, runs
from scheduler.usecases.experiments import find_active, split_tags
from scheduler.usecases.reading import iso


def document(run: Run) -> dict[str, Any]:
    """A run as the API answers it, with the latest point of each metric."""
    return {
        "id": run.id,
        "experiment": str(run.experiment),
        "name": run.name,
        "status": run.status,
        "job": run.job,
        "artifacts": run.artifacts,
        "params": run.params,
        "tags": run.tags,
        "metrics": run.metrics,
        "datasets": run.datasets,
        "models": run.models,
        "deleted": run.deleted_at is not None,
        "created_by": run.created_by,
        "created_at": run.created_at.isoformat(),
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
    }


def readable(value: float) -> float | str:
    """JSON has no word for what is not finite: `NaN`, `Infinity`, `-Infinity` as text, as PostgreSQL and protobuf write it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


async def create_run(
    pool: Pool, cause: Cause, *, experiment: int, name: str, tags: dict[str, str], started_at: datetime | None
) -> dict[str, Any]:
    """Begin a run. Raises ExperimentNotFoundError, ConflictError for a deleted experiment."""
    id_ = new_run_id()
    async with transaction(pool) as tx:
        of = await find_active(tx, cause, experiment)
        await runs.insert_run(
            tx, cause.workspace, cause.actor, id_=id_, experiment=experiment, name=name or names.generate(), tags=tags,
            artifacts=run_artifacts(of, id_), started_at=started_at or datetime.now(UTC),
        )  # fmt: skip
        return document(await runs.require_run(tx, cause.workspace, id_))


async def get_run(pool: Pool, cause: Cause, id_: str) -> dict[str, Any]:
    """Raises RunNotFoundError."""
    async with transaction(pool) as tx:
        return document(await runs.require_run(tx, cause.workspace, id_))


async def update_run(
    pool: Pool, cause: Cause, id_: str, *, name: str | None, status: RunStatus | None, ended_at: datetime | None
) -> dict[str, Any]:
    """Rename a run, or say how it stands. Raises RunNotFoundError, ConflictError for a deleted one."""
    async with transaction(pool) as tx:
        await runs.update_run(tx, cause.workspace, id_, name=name, status=status, ended_at=ended_at)
        return document(await runs.require_run(tx, cause.workspace, id_))


async def log(
    pool: Pool, cause: Cause, id_: str, *, points: list[Metric], params: dict[str, str], tags: dict[str, str | None]
) -> None:
    """Add points, params and tags to a run, all or nothing; a tag that is null is removed.

    Raises RunNotFoundError, ConflictError for a deleted run, RunError for a param that has another value, TagNotFoundError.
    """
    async with transaction(pool) as tx:
        if params or tags:
            position, known, old = await runs.lock_notes(tx, cause.workspace, id_)
            check_params(known, params, f"run {id_}")
            added, without = split_tags(old, tags, f"run {id_}")
            await runs.annotate(tx, position, params=params, tags=added, without=without)
        else:
            position = await runs.require_position(tx, cause.workspace, id_)
        await metrics.insert_metrics(tx, position, points)


async def link(pool: Pool, cause: Cause, id_: str, *, datasets: list[Dataset], models: list[ModelLink]) -> None:
    """Say which datasets and logged models a run has read, and which models it has made. Raises as `log`."""
    async with transaction(pool) as tx:
        position = await runs.require_position(tx, cause.workspace, id_)
        await runs.add_datasets(tx, position, datasets)
        await runs.add_models(tx, position, models)


async def set_deleted(pool: Pool, cause: Cause, id_: str, *, deleted: bool) -> None:
    """Raises RunNotFoundError."""
    async with transaction(pool) as tx:
        await runs.set_deleted(tx, cause.workspace, id_, deleted=deleted)


async def metric_history(
    pool: Pool, cause: Cause, id_: str, key: str, *, cursor: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of a metric's points in order of time, and the cursor of the next page. Raises RunNotFoundError, InvalidError."""
    after = _point(cursor) if cursor else metrics.FIRST
    async with transaction(pool) as tx:
        run = await runs.require_run(tx, cause.workspace, id_)
        found = await metrics.list_history(tx, run.position, key, after=after, limit=limit + 1)
    page = found[:limit]
    following = f"{page[-1].timestamp}_{page[-1].step}_{page[-1].value!r}" if len(found) > limit else None
    return [asdict(point) | {"value": readable(point.value)} for point in page], following


def _point(cursor: str) -> tuple[int, int, float]:
    """The last point of the page before."""
    try:
        timestamp, step, value = cursor.split("_")
        found = int(timestamp), int(step), float(value)
    except ValueError as error:
        raise InvalidError("the cursor is not one that a page gave", path="cursor") from error
    if not all(-(2**63) <= number < 2**63 for number in found[:2]):
        raise InvalidError("the cursor is not one that a page gave", path="cursor")
    return found


async def search_runs(
    pool: Pool, cause: Cause, experiments: Sequence[int], search: Search
) -> tuple[list[dict[str, Any]], bool]:
    """A page of the experiments' runs, and whether there are more."""
    async with transaction(pool) as tx:
        found = await runs.search_runs(tx, cause.workspace, list(experiments), search.one_more())
    return [document(run) for run in found[: search.limit]], len(found) > search.limit
