"""Runs of MLflow clients, and what is logged to them."""

from __future__ import annotations

import json
from typing import Any, Final

from gateway.domain.mlflow import tracking
from gateway.domain.mlflow.filters import Condition, parse_filter, parse_order
from gateway.usecases.mlflow.experiments import number
from gateway.usecases.mlflow.parts import Session, part
from modelyard_platform.errors import InvalidError

MOST_POINTS: Final = 25_000
"""Of one metric in one answer: what clients ask for at a time (`GET_METRIC_HISTORY_MAX_RESULTS`)."""

_HISTORY_PAGE: Final = 1000
_HISTORY: Final = "mlflow.log-model.history"


async def create(
    session: Session, *, experiment: str, name: str | None, user: str | None, start: int | None, tags: dict[str, str]
) -> dict[str, Any]:
    """Begin a run. Its name may come as a tag."""
    tags = dict(tags)
    named = name or tags.get("mlflow.runName", "")
    tags.pop("mlflow.runName", None)
    if user:
        tags.setdefault("mlflow.user", user)
    body = {
        "experiment": number(experiment or "0"), "name": named, "tags": tags, "started_at": tracking.iso(start),
    }  # fmt: skip
    return {"run": tracking.run(await session.scheduler("POST", "runs", body))}


async def get(session: Session, id_: str) -> dict[str, Any]:
    """A run with everything but the metrics' histories."""
    return {"run": tracking.run(await session.scheduler("GET", _path(id_)))}


async def update(
    session: Session, id_: str, *, status: str | None, end: int | None, name: str | None
) -> dict[str, Any]:
    """Rename a run, or say how it stands."""
    body = {
        "name": name or None,
        "status": tracking.RUN_STATUS[status] if status else None,
        "ended_at": tracking.iso(end),
    }
    return {"run_info": tracking.run_info(await session.scheduler("PATCH", _path(id_), body))}


async def delete(session: Session, id_: str) -> None:
    """Delete a run."""
    await session.scheduler("DELETE", _path(id_))


async def restore(session: Session, id_: str) -> None:
    """Bring a run back."""
    await session.scheduler("POST", f"{_path(id_)}/restore")


async def log(
    session: Session, id_: str, *, metrics: list[dict[str, Any]], params: dict[str, str], tags: dict[str, str | None]
) -> None:
    """Add points of metrics, params and tags; a tag that is None is removed. The run's name is one of its tags."""
    tags = dict(tags)
    name = tags.pop("mlflow.runName", None)
    if metrics or params or tags or name is None:
        await session.scheduler("POST", f"{_path(id_)}/log", {"metrics": metrics, "params": params, "tags": tags})
    if name is not None:
        await session.scheduler("PATCH", _path(id_), {"name": name})


async def log_inputs(session: Session, id_: str, datasets: list[dict[str, Any]], models: list[str]) -> None:
    """Say which datasets and logged models a run reads."""
    body = {"datasets": datasets, "models": [{"role": "input", "model": model} for model in models]}
    await session.scheduler("POST", f"{_path(id_)}/links", body)


async def log_outputs(session: Session, id_: str, models: list[tuple[str, int]]) -> None:
    """Say which logged models a run has made."""
    links = [{"role": "output", "model": model, "step": step} for model, step in models]
    await session.scheduler("POST", f"{_path(id_)}/links", {"models": links})


async def history(session: Session, id_: str, key: str, *, token: str | None, limit: int | None) -> dict[str, Any]:
    """A metric's points: a page when a page is asked for, else all of them. Raises InvalidError for more than `MOST_POINTS`."""
    points: list[dict[str, Any]] = []
    while len(points) < MOST_POINTS:
        query = {"limit": min(limit or _HISTORY_PAGE, _HISTORY_PAGE)} | ({"cursor": token} if token else {})
        found = await session.scheduler("GET", f"{_path(id_)}/metrics/{part(key)}", query=query)
        points += [tracking.metric(point, id_) for point in found["items"]]
        token = found["next"]
        if token is None or limit is not None:
            return {"metrics": points} | ({"next_page_token": token} if token else {})
    raise InvalidError(
        f"the metric has more than {MOST_POINTS:,} points: ask for them in pages, by max_results and page_token",
        path="max_results",
    )


async def search(
    session: Session, *, experiments: list[str], text: str | None, order: list[str], view: str, token: str | None,
    limit: int,
) -> dict[str, Any]:  # fmt: skip
    """A page of the experiments' runs."""
    conditions = [_in_our_words(one) for one in parse_filter(text, tracking.RUNS)]
    body = {
        "experiments": [number(one) for one in experiments],
        "conditions": [one.document() for one in conditions],
        "order": [one.document() for one in parse_order(order, tracking.RUNS)],
        "lifecycle": tracking.LIFECYCLES[view],
        "cursor": token or None,
        "limit": limit,
    }
    found = await session.scheduler("POST", "runs/search", body)
    return {"runs": [tracking.run(one) for one in found["items"]]} | (
        {"next_page_token": found["next"]} if found["next"] else {}
    )


def _in_our_words(condition: Condition) -> Condition:
    match condition:
        case Condition("attribute", "status", op, str(value)):
            return Condition("attribute", "status", op, value.lower())
        case Condition("attribute", "artifacts", op, str(value)):
            return Condition("attribute", "artifacts", op, value.removeprefix("mlflow-artifacts:/"))
        case Condition("tag", "mlflow.runName", op, value):
            return Condition("attribute", "name", op, value)
        case _:
            return condition


def _path(id_: str) -> str:
    return f"runs/{part(id_)}"


async def add_model_tag(session: Session, id_: str, model: str) -> None:
    """Older clients say which models a run has logged by a tag that grows. Raises InvalidError for what is no JSON object."""
    described = _json(model, "model_json")
    if not isinstance(described, dict):
        raise InvalidError("model_json is no JSON object", path="model_json")
    run = await session.scheduler("GET", _path(id_))
    logged = _json(run["tags"].get(_HISTORY, "[]"), f"the tag {_HISTORY}")
    if not isinstance(logged, list):
        raise InvalidError(f"the tag {_HISTORY} of the run is no list; delete it", path="run_id")
    await log(session, id_, metrics=[], params={}, tags={_HISTORY: json.dumps([*logged, described])})


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"{what} is no JSON: {error}") from error
