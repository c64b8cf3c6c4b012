"""Experiments, runs, metrics and logged models: the scheduler's documents in MLflow's words.

Source: mlflow/protos/service.proto. Times are in milliseconds since 1970; 64-bit numbers may be JSON numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from gateway.domain.mlflow.addresses import artifact_uri
from gateway.domain.mlflow.filters import Attribute, Grammar
from modelyard_platform.errors import InvalidError

EXPERIMENTS: Final = Grammar(
    {
        "name": Attribute("name"),
        "experiment_id": Attribute("id"),
        "creation_time": Attribute("created_at", numeric=True),
        "last_update_time": Attribute("updated_at", numeric=True),
    }
)
RUNS: Final = Grammar(
    {
        "run_id": Attribute("id"),
        "run_name": Attribute("name"),
        "run name": Attribute("name"),
        "status": Attribute("status"),
        "user_id": Attribute("created_by"),
        "artifact_uri": Attribute("artifacts"),
        "experiment_id": Attribute("experiment"),
        "start_time": Attribute("started_at", numeric=True),
        "created": Attribute("started_at", numeric=True),
        "end_time": Attribute("ended_at", numeric=True),
    },
    frozenset(("attribute", "tag", "param", "metric", "dataset")),
)
LOGGED_MODELS: Final = Grammar(
    {
        "name": Attribute("name"),
        "model_id": Attribute("id"),
        "model_type": Attribute("type"),
        "status": Attribute("status"),
        "source_run_id": Attribute("run"),
        "creation_time": Attribute("created_at", numeric=True),
        "creation_timestamp": Attribute("created_at", numeric=True),
        "creation_timestamp_ms": Attribute("created_at", numeric=True),
        "last_updated_timestamp": Attribute("updated_at", numeric=True),
        "last_updated_timestamp_ms": Attribute("updated_at", numeric=True),
    },
    frozenset(("attribute", "tag", "param", "metric")),
)

LIFECYCLES: Final = {"ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all"}
RUN_STATUS: Final = {
    "RUNNING": "running", "SCHEDULED": "scheduled", "FINISHED": "finished", "FAILED": "failed", "KILLED": "killed",
}  # fmt: skip
MODEL_STATUS: Final = {
    "LOGGED_MODEL_PENDING": "pending", "LOGGED_MODEL_READY": "ready", "LOGGED_MODEL_UPLOAD_FAILED": "failed",
}  # fmt: skip
_RUN_WORDS: Final = {ours: theirs for theirs, ours in RUN_STATUS.items()}
_MODEL_WORDS: Final = {ours: theirs for theirs, ours in MODEL_STATUS.items()}


def milliseconds(time: str | None) -> int | None:
    """An ISO time as MLflow says it."""
    return None if time is None else round(datetime.fromisoformat(time).timestamp() * 1000)


def iso(timestamp: int | None) -> str | None:
    """The other way round; nothing, or 0, is no time. Raises InvalidError for a time that no calendar has."""
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC).isoformat() if timestamp else None
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidError(f"{timestamp} is no time in milliseconds since 1970") from error


def pairs(known: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags or params."""
    return [{"key": key, "value": value} for key, value in known.items()]


def known(document: Mapping[str, Any]) -> dict[str, Any]:
    """A message without the fields that are not set."""
    return {key: value for key, value in document.items() if value is not None}


def experiment(document: Mapping[str, Any]) -> dict[str, Any]:
    """An `Experiment`."""
    return {
        "experiment_id": document["id"],
        "name": document["name"],
        "artifact_location": artifact_uri(document["location"] or document["id"]),
        "lifecycle_stage": _stage(document),
        "creation_time": milliseconds(document["created_at"]),
        "last_update_time": milliseconds(document["updated_at"]),
        "tags": pairs(document["tags"]),
    }


def _stage(document: Mapping[str, Any]) -> str:
    return "deleted" if document["deleted"] else "active"


def run_info(document: Mapping[str, Any]) -> dict[str, Any]:
    """A `RunInfo`."""
    return known(
        {
            "run_id": document["id"],
            "run_uuid": document["id"],
            "run_name": document["name"],
            "experiment_id": document["experiment"],
            "user_id": document["tags"].get("mlflow.user", document["created_by"]),
            "status": _RUN_WORDS[document["status"]],
            "start_time": milliseconds(document["started_at"]),
            "end_time": milliseconds(document["ended_at"]),
            "artifact_uri": artifact_uri(document["artifacts"]),
            "lifecycle_stage": _stage(document),
        }
    )


def run(document: Mapping[str, Any]) -> dict[str, Any]:
    """A `Run`. Its name is a tag too, as clients expect; the job it belongs to is one of ours."""
    tags = {"mlflow.runName": document["name"], **document["tags"]}
    if document["job"]:
        tags["modelyard.job"] = document["job"]
    models = document["models"]
    return {
        "info": run_info(document),
        "data": {
            "metrics": [metric(point, document["id"]) for point in document["metrics"]],
            "params": pairs(document["params"]),
            "tags": pairs(tags),
        },
        "inputs": {
            "dataset_inputs": [_dataset(one) for one in document["datasets"]],
            "model_inputs": [{"model_id": one["model"]} for one in models if one["role"] == "input"],
        },
        "outputs": {
            "model_outputs": [
                {"model_id": one["model"], "step": one["step"]} for one in models if one["role"] == "output"
            ]
        },
    }


def metric(point: Mapping[str, Any], run_id: str | None) -> dict[str, Any]:
    """A `Metric`."""
    return known(
        {
            "key": point["key"],
            "value": point["value"],
            "timestamp": point["timestamp"],
            "step": point["step"],
            "model_id": point["model"],
            "dataset_name": point["dataset_name"],
            "dataset_digest": point["dataset_digest"],
            "run_id": point.get("run", run_id),
        }
    )


def _dataset(document: Mapping[str, Any]) -> dict[str, Any]:
    fields = ("name", "digest", "source_type", "source", "schema", "profile")
    return {
        "tags": pairs(document["tags"]),
        "dataset": known({field: document[field] for field in fields}),
    }


def logged_model(document: Mapping[str, Any]) -> dict[str, Any]:
    """A `LoggedModel`."""
    return {
        "info": known(
            {
                "model_id": document["id"],
                "experiment_id": document["experiment"],
                "name": document["name"],
                "creation_timestamp_ms": milliseconds(document["created_at"]),
                "last_updated_timestamp_ms": milliseconds(document["updated_at"]),
                "artifact_uri": artifact_uri(document["artifacts"]),
                "status": _MODEL_WORDS[document["status"]],
                "model_type": document["type"],
                "source_run_id": document["run"],
                "tags": pairs(document["tags"]),
            }
        ),
        "data": {
            "params": pairs(document["params"]),
            "metrics": [metric(point, None) for point in document["metrics"]],
        },
    }
