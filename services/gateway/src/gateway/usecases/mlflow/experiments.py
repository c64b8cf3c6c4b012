"""Experiments of MLflow clients."""

from __future__ import annotations

from typing import Any

from gateway.domain.mlflow import tracking
from gateway.domain.mlflow.addresses import experiment_location
from gateway.domain.mlflow.filters import parse_filter, parse_order
from gateway.usecases.mlflow.parts import Session, part
from modelyard_platform.errors import InvalidError, NotFoundError


async def create(session: Session, name: str, location: str | None, tags: dict[str, str]) -> dict[str, Any]:
    """The new experiment's id."""
    body = {"name": name, "location": experiment_location(location), "tags": tags}
    made = await session.scheduler("POST", "experiments", body)
    return {"experiment_id": made["id"]}


async def get(session: Session, id_: str) -> dict[str, Any]:
    """An experiment by its id."""
    return {"experiment": tracking.experiment(await session.scheduler("GET", _path(id_)))}


async def get_by_name(session: Session, name: str) -> dict[str, Any]:
    """An experiment by its name, deleted or not. Raises NotFoundError."""
    found = await session.scheduler("GET", "experiments", query={"name": name})
    if not found["items"]:
        raise NotFoundError(f"there is no experiment of the name {name!r}")
    return {"experiment": tracking.experiment(found["items"][0])}


async def change(
    session: Session, id_: str, *, name: str | None = None, tags: dict[str, str | None] | None = None
) -> None:
    """Rename an experiment, set tags, or remove those that are None."""
    await session.scheduler("PATCH", _path(id_), {"name": name, "tags": tags or {}})


async def delete(session: Session, id_: str) -> None:
    """Delete an experiment and its runs."""
    await session.scheduler("DELETE", _path(id_))


async def restore(session: Session, id_: str) -> None:
    """Bring an experiment back."""
    await session.scheduler("POST", f"{_path(id_)}/restore")


async def search(
    session: Session, *, text: str | None, order: list[str], view: str, token: str | None, limit: int
) -> dict[str, Any]:
    """A page of experiments."""
    body = {
        "conditions": [one.document() for one in parse_filter(text, tracking.EXPERIMENTS)],
        "order": [one.document() for one in parse_order(order, tracking.EXPERIMENTS)],
        "lifecycle": tracking.LIFECYCLES[view],
        "cursor": token or None,
        "limit": limit,
    }
    found = await session.scheduler("POST", "experiments/search", body)
    return {
        "experiments": [tracking.experiment(one) for one in found["items"]],
        **({"next_page_token": found["next"]} if found["next"] else {}),
    }


def number(id_: str) -> int:
    """An experiment's id as the scheduler has it. Raises InvalidError."""
    if not id_.isascii() or not id_.isdigit() or len(id_) > 18:
        raise InvalidError(f"{id_[:100]!r} is no id of an experiment: those are numbers", path="experiment_id")
    return int(id_)


def _path(id_: str) -> str:
    return f"experiments/{part(str(number(id_)))}"
