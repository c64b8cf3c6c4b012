"""Experiments and runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from gateway import schemas
from gateway.api.mlflow.route import Asked, router
from gateway.schemas import as_dict
from gateway.usecases.mlflow import experiments, runs

experiments_router = router("/api/2.0/mlflow/experiments")
runs_router = router("/api/2.0/mlflow")
_PAGE = 1000


@experiments_router.post("/create")
async def create_experiment(body: schemas.CreateExperiment, session: Asked) -> dict[str, Any]:
    return await experiments.create(session, body.name, body.artifact_location, as_dict(body.tags))


@experiments_router.get("/get")
async def get_experiment(query: Annotated[schemas.ByExperiment, Query()], session: Asked) -> dict[str, Any]:
    return await experiments.get(session, query.experiment_id)


@experiments_router.get("/get-by-name")
async def get_experiment_by_name(query: Annotated[schemas.ExperimentByName, Query()], session: Asked) -> dict[str, Any]:
    return await experiments.get_by_name(session, query.experiment_name)


@experiments_router.post("/update")
async def update_experiment(body: schemas.UpdateExperiment, session: Asked) -> dict[str, Any]:
    await experiments.change(session, body.experiment_id, name=body.new_name)
    return {}


@experiments_router.post("/delete")
async def delete_experiment(body: schemas.ByExperiment, session: Asked) -> dict[str, Any]:
    await experiments.delete(session, body.experiment_id)
    return {}


@experiments_router.post("/restore")
async def restore_experiment(body: schemas.ByExperiment, session: Asked) -> dict[str, Any]:
    await experiments.restore(session, body.experiment_id)
    return {}


@experiments_router.post("/set-experiment-tag")
async def set_experiment_tag(body: schemas.ExperimentTag, session: Asked) -> dict[str, Any]:
    await experiments.change(session, body.experiment_id, tags={body.key: body.value})
    return {}


@experiments_router.post("/delete-experiment-tag")
async def delete_experiment_tag(body: schemas.ExperimentTagKey, session: Asked) -> dict[str, Any]:
    await experiments.change(session, body.experiment_id, tags={body.key: None})
    return {}


@experiments_router.get("/search")
async def search_experiments_get(
    query: Annotated[schemas.SearchExperiments, Query()], session: Asked
) -> dict[str, Any]:
    return await search_experiments(query, session)


@experiments_router.post("/search")
async def search_experiments(body: schemas.SearchExperiments, session: Asked) -> dict[str, Any]:
    return await experiments.search(
        session, text=body.filter, order=body.order_by, view=body.view_type, token=body.page_token,
        limit=body.max_results or _PAGE,
    )  # fmt: skip


@runs_router.post("/runs/create")
async def create_run(body: schemas.CreateRun, session: Asked) -> dict[str, Any]:
    return await runs.create(
        session, experiment=body.experiment_id, name=body.run_name, user=body.user_id, start=body.start_time,
        tags=as_dict(body.tags),
    )  # fmt: skip


@runs_router.get("/runs/get")
async def get_run(query: Annotated[schemas.ByRun, Query()], session: Asked) -> dict[str, Any]:
    return await runs.get(session, query.run_id)


@runs_router.post("/runs/update")
async def update_run(body: schemas.UpdateRun, session: Asked) -> dict[str, Any]:
    return await runs.update(session, body.run_id, status=body.status, end=body.end_time, name=body.run_name)


@runs_router.post("/runs/delete")
async def delete_run(body: schemas.ByRun, session: Asked) -> dict[str, Any]:
    await runs.delete(session, body.run_id)
    return {}


@runs_router.post("/runs/restore")
async def restore_run(body: schemas.ByRun, session: Asked) -> dict[str, Any]:
    await runs.restore(session, body.run_id)
    return {}


@runs_router.post("/runs/search")
async def search_runs(body: schemas.SearchRuns, session: Asked) -> dict[str, Any]:
    return await runs.search(
        session, experiments=body.experiment_ids, text=body.filter, order=body.order_by, view=body.run_view_type,
        token=body.page_token, limit=body.max_results or _PAGE,
    )  # fmt: skip


@runs_router.post("/runs/log-metric")
async def log_metric(body: schemas.LogMetric, session: Asked) -> dict[str, Any]:
    await runs.log(session, body.run_id, metrics=[_point(body)], params={}, tags={})
    return {}


@runs_router.post("/runs/log-parameter")
async def log_param(body: schemas.RunPair, session: Asked) -> dict[str, Any]:
    await runs.log(session, body.run_id, metrics=[], params={body.key: body.value}, tags={})
    return {}


@runs_router.post("/runs/set-tag")
async def set_tag(body: schemas.RunPair, session: Asked) -> dict[str, Any]:
    await runs.log(session, body.run_id, metrics=[], params={}, tags={body.key: body.value})
    return {}


@runs_router.post("/runs/delete-tag")
async def delete_tag(body: schemas.RunTagKey, session: Asked) -> dict[str, Any]:
    await runs.log(session, body.run_id, metrics=[], params={}, tags={body.key: None})
    return {}


@runs_router.post("/runs/log-batch")
async def log_batch(body: schemas.LogBatch, session: Asked) -> dict[str, Any]:
    points = [_point(one) for one in body.metrics]
    await runs.log(session, body.run_id, metrics=points, params=as_dict(body.params), tags=dict(as_dict(body.tags)))
    return {}


def _point(metric: schemas.MetricPoint) -> dict[str, Any]:
    return {
        "key": metric.key,
        "value": metric.value,
        "timestamp": metric.timestamp,
        "step": metric.step,
        "model": metric.model_id,
        "dataset_name": metric.dataset_name,
        "dataset_digest": metric.dataset_digest,
    }


@runs_router.post("/runs/log-model")
async def log_model(body: schemas.LogModel, session: Asked) -> dict[str, Any]:
    await runs.add_model_tag(session, body.run_id, body.model_json)
    return {}


@runs_router.post("/runs/log-inputs")
async def log_inputs(body: schemas.LogInputs, session: Asked) -> dict[str, Any]:
    datasets = [one.dataset.model_dump(by_alias=True) | {"tags": as_dict(one.tags)} for one in body.datasets]
    await runs.log_inputs(session, body.run_id, datasets, [one.model_id for one in body.models])
    return {}


@runs_router.post("/runs/outputs")
async def log_outputs(body: schemas.LogOutputs, session: Asked) -> dict[str, Any]:
    await runs.log_outputs(session, body.run_id, [(one.model_id, one.step) for one in body.models])
    return {}


@runs_router.get("/metrics/get-history")
async def get_history(query: Annotated[schemas.MetricHistory, Query()], session: Asked) -> dict[str, Any]:
    return await runs.history(session, query.run_id, query.metric_key, token=query.page_token, limit=query.max_results)
