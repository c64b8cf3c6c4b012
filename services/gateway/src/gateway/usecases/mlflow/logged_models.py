"""Logged models of MLflow 3 clients."""

from __future__ import annotations

from typing import Any

from gateway.domain.mlflow import tracking
from gateway.domain.mlflow.filters import Condition, parse_filter, parse_order
from gateway.usecases.mlflow.experiments import number
from gateway.usecases.mlflow.parts import Session, part


async def create(
    session: Session, *, experiment: str, name: str | None, type_: str | None, run: str | None,
    params: dict[str, str], tags: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Announce a model; its files come to its `artifact_uri`."""
    body = {
        "experiment": number(experiment or "0"), "name": name or "", "type": type_, "run": run, "params": params,
        "tags": tags,
    }  # fmt: skip
    return {"model": tracking.logged_model(await session.scheduler("POST", "logged-models", body))}


async def get(session: Session, id_: str, *, deleted: bool) -> dict[str, Any]:
    """A logged model."""
    found = await session.scheduler("GET", _path(id_), query={"deleted": deleted})
    return {"model": tracking.logged_model(found)}


async def change(
    session: Session, id_: str, *, status: str | None = None, params: dict[str, str] | None = None,
    tags: dict[str, str | None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Say how a model stands, add params, set or remove tags."""
    body = {
        "status": tracking.MODEL_STATUS[status] if status else None, "params": params or {}, "tags": tags or {},
    }  # fmt: skip
    return {"model": tracking.logged_model(await session.scheduler("PATCH", _path(id_), body))}


async def delete(session: Session, id_: str) -> None:
    """Delete a logged model."""
    await session.scheduler("DELETE", _path(id_))


async def search(
    session: Session, *, experiments: list[str], text: str | None, order: list[tuple[str, bool]], token: str | None,
    limit: int,
) -> dict[str, Any]:  # fmt: skip
    """A page of the experiments' models."""
    conditions = [_in_our_words(one) for one in parse_filter(text, tracking.LOGGED_MODELS)]
    terms = [f"{field} {'ASC' if ascending else 'DESC'}" for field, ascending in order]
    body = {
        "experiments": [number(one) for one in experiments],
        "conditions": [one.document() for one in conditions],
        "order": [one.document() for one in parse_order(terms, tracking.LOGGED_MODELS)],
        "cursor": token or None,
        "limit": limit,
    }
    found = await session.scheduler("POST", "logged-models/search", body)
    return {"models": [tracking.logged_model(one) for one in found["items"]]} | (
        {"next_page_token": found["next"]} if found["next"] else {}
    )


def _in_our_words(condition: Condition) -> Condition:
    match condition:
        case Condition("attribute", "status", op, str(value)):
            return Condition("attribute", "status", op, tracking.MODEL_STATUS.get(value.upper(), value.lower()))
        case _:
            return condition


def _path(id_: str) -> str:
    return f"logged-models/{part(id_)}"
