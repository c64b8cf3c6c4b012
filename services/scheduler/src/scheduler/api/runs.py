"""Routes of experiments and runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard_platform.http import Contributor, Reader
from scheduler.api.parts import ExperimentId, Limit, TextPath, TextQuery, Wired, as_search, page
from scheduler.domain.runs import Dataset, Metric, ModelLink
from scheduler.schemas import (
    ExperimentChange,
    Items,
    NewExperiment,
    NewRun,
    Page,
    RunChange,
    RunLinks,
    RunNotes,
    SearchIn,
    SearchRequest,
)
from scheduler.usecases import experiments, runs

experiments_router = APIRouter(prefix="/api/v1/experiments", tags=["runs"])
runs_router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


@experiments_router.post("", status_code=201, operation_id="create_experiment")
async def create_experiment(body: NewExperiment, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """An experiment gathers runs. A job's `experiment_name` makes one by itself."""
    return await experiments.create_experiment(
        parts.pool, caller.cause, name=body.name, location=body.location, tags=body.tags
    )


@experiments_router.get("", response_model=Items, operation_id="list_experiments")
async def list_named(parts: Wired, caller: Reader, name: TextQuery) -> Any:
    """The experiment of a name, deleted or not: none or one."""
    return {"items": await experiments.list_named(parts.pool, caller.cause, name)}


@experiments_router.post("/search", response_model=Page, operation_id="search_experiments")
async def search_experiments(body: SearchRequest, parts: Wired, caller: Reader) -> Any:
    """Experiments that meet all conditions on their attributes (`id name created_at updated_at`) and tags."""
    search = as_search(body)
    return page(await experiments.search_experiments(parts.pool, caller.cause, search), search.offset)


@experiments_router.get("/{id_}", operation_id="get_experiment")
async def get_experiment(id_: ExperimentId, parts: Wired, caller: Reader) -> dict[str, Any]:
    """Number 0 is the workspace's `Default`."""
    return await experiments.get_experiment(parts.pool, caller.cause, id_)


@experiments_router.patch("/{id_}", operation_id="update_experiment")
async def update_experiment(
    id_: ExperimentId, body: ExperimentChange, parts: Wired, caller: Contributor
) -> dict[str, Any]:
    """Rename an experiment, set or remove tags."""
    return await experiments.update_experiment(parts.pool, caller.cause, id_, name=body.name, tags=body.tags)


@experiments_router.delete("/{id_}", status_code=204, operation_id="delete_experiment")
async def delete_experiment(id_: ExperimentId, parts: Wired, caller: Contributor) -> None:
    """Hide an experiment and its runs; `restore` brings them back."""
    await experiments.set_deleted(parts.pool, caller.cause, id_, deleted=True)


@experiments_router.post("/{id_}/restore", status_code=204, operation_id="restore_experiment")
async def restore_experiment(id_: ExperimentId, parts: Wired, caller: Contributor) -> None:
    await experiments.set_deleted(parts.pool, caller.cause, id_, deleted=False)


@runs_router.post("", status_code=201, operation_id="create_run")
async def create_run(body: NewRun, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Begin a run. Steps and pipelines are runs by themselves."""
    return await runs.create_run(
        parts.pool, caller.cause, experiment=body.experiment, name=body.name, tags=body.tags, started_at=body.started_at
    )


@runs_router.post("/search", response_model=Page, operation_id="search_runs")
async def search_runs(body: SearchIn, parts: Wired, caller: Reader) -> Any:
    """Runs of some experiments that meet all conditions on attributes, tags, params, latest metrics and datasets."""
    search = as_search(body)
    return page(await runs.search_runs(parts.pool, caller.cause, body.experiments, search), search.offset)


@runs_router.get("/{id_}", operation_id="get_run")
async def get_run(id_: TextPath, parts: Wired, caller: Reader) -> dict[str, Any]:
    """A run with its params, tags, the latest point of each metric, and what it has read and made."""
    return await runs.get_run(parts.pool, caller.cause, id_)


@runs_router.patch("/{id_}", operation_id="update_run")
async def update_run(id_: TextPath, body: RunChange, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Rename a run, or say how it stands."""
    return await runs.update_run(
        parts.pool, caller.cause, id_, name=body.name, status=body.status, ended_at=body.ended_at
    )


@runs_router.post("/{id_}/log", status_code=204, operation_id="log_to_run")
async def log(id_: TextPath, body: RunNotes, parts: Wired, caller: Contributor) -> None:
    """Add points of metrics, params and tags. Sent twice, it counts once."""
    points = [Metric(**point.model_dump()) for point in body.metrics]
    await runs.log(parts.pool, caller.cause, id_, points=points, params=body.params, tags=body.tags)


@runs_router.post("/{id_}/links", status_code=204, operation_id="link_run")
async def link(id_: TextPath, body: RunLinks, parts: Wired, caller: Contributor) -> None:
    """Say which datasets and logged models a run has read, and which models it has made."""
    datasets = [Dataset(**one.model_dump(by_alias=True)) for one in body.datasets]
    models = [ModelLink(**one.model_dump()) for one in body.models]
    await runs.link(parts.pool, caller.cause, id_, datasets=datasets, models=models)


@runs_router.get("/{id_}/metrics/{key:path}", response_model=Page, operation_id="get_metric_history")
async def metric_history(
    id_: TextPath, key: TextPath, parts: Wired, caller: Reader, cursor: TextQuery = "", limit: Limit = 1000
) -> Any:
    """A metric's points in order of time."""
    items, following = await runs.metric_history(parts.pool, caller.cause, id_, key, cursor=cursor, limit=limit)
    return {"items": items, "next": following}


@runs_router.delete("/{id_}", status_code=204, operation_id="delete_run")
async def delete_run(id_: TextPath, parts: Wired, caller: Contributor) -> None:
    """Hide a run; `restore` brings it back."""
    await runs.set_deleted(parts.pool, caller.cause, id_, deleted=True)


@runs_router.post("/{id_}/restore", status_code=204, operation_id="restore_run")
async def restore_run(id_: TextPath, parts: Wired, caller: Contributor) -> None:
    await runs.set_deleted(parts.pool, caller.cause, id_, deleted=False)
