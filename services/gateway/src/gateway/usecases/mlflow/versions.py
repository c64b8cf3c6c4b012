"""Versions of registered models of MLflow clients: versions in the registry."""

from __future__ import annotations

from typing import Any

from gateway.domain.mlflow import registered
from gateway.domain.mlflow.addresses import version_uri
from gateway.domain.mlflow.filters import Order, parse_filter, parse_order
from gateway.usecases.mlflow.models import path as model_path
from gateway.usecases.mlflow.parts import Session, part
from gateway.usecases.mlflow.searching import CHUNK, Page, find
from gateway.usecases.mlflow.sources import Origin, follow
from modelyard_platform.errors import InvalidError


async def create(
    session: Session, name: str, *, source: str, run: str | None, run_link: str | None, model: str | None,
    description: str, tags: dict[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Register what lies at `source`: its files become a tree that never changes. The model must be there.

    Raises NotFoundError for a model, run or source that is not there, InvalidError for a source that cannot be read.
    """
    await session.registry("GET", model_path(name))
    origin = await follow(session, source, run=run, model=model)
    properties = {
        registered.SOURCE: source,
        registered.RUN: run or origin.run,
        registered.MODEL: model or origin.model,
        registered.RUN_LINK: run_link,
    }
    spec = {
        "name": name,
        "path": origin.path,
        "type": origin.type,
        "description": description,
        "tags": tags,
        "properties": {key: value for key, value in properties.items() if value},
    }
    made = await session.registry("POST", "models", _registration(spec, origin))
    return {"model_version": registered.version(made)}


def _registration(spec: dict[str, Any], origin: Origin) -> dict[str, Any]:
    return {"spec": spec, "job": origin.job, "environment": origin.environment, "sample": origin.sample}


async def get(session: Session, name: str, version: str) -> dict[str, Any]:
    """A version by its number."""
    return {"model_version": registered.version(await session.registry("GET", path(name, version)))}


async def get_by_alias(session: Session, name: str, alias: str) -> dict[str, Any]:
    """The version that an alias names."""
    found = await session.registry("GET", f"{model_path(name)}/labels/{part(alias)}")
    return {"model_version": registered.version(found)}


async def download_uri(session: Session, name: str, version: str) -> dict[str, Any]:
    """Where the version's files are: behind this gateway, or where they were registered from."""
    found = await session.registry("GET", path(name, version))
    if found["tree"] is None:
        return {"artifact_uri": found["spec"].get("path") or found["properties"].get(registered.SOURCE, "")}
    return {"artifact_uri": version_uri(name, found["version"])}


async def update(session: Session, name: str, version: str, description: str) -> dict[str, Any]:
    """Change its description."""
    return await _patch(session, name, version, {"description": description})


async def set_tag(session: Session, name: str, version: str, key: str, value: str) -> None:
    """Set a tag."""
    await _patch(session, name, version, {"set_tags": {key: value}})


async def delete_tag(session: Session, name: str, version: str, key: str) -> None:
    """Remove a tag; one that is not there is no error."""
    await _patch(session, name, version, {"remove_tags": [key]})


async def delete(session: Session, name: str, version: str) -> None:
    """Delete it, unless something stands on it."""
    await session.registry("DELETE", path(name, version))


async def transition(
    session: Session, name: str, version: str, stage: str, *, archive_existing: bool
) -> dict[str, Any]:
    """Bring a version to a stage; with `archive_existing` those that were there are archived after it has come."""
    stage = registered.check_stage(stage)
    if archive_existing and stage not in registered.ACTIVE_STAGES:
        raise InvalidError(
            f"versions can be archived only when the stage is one of {', '.join(registered.ACTIVE_STAGES)}, not {stage}"
        )
    moved = await _patch(session, name, version, {"stage": "" if stage == registered.NO_STAGE else stage})
    if archive_existing:
        query = {"search": f"stage:{stage}", "limit": 1000}
        there = await session.registry("GET", f"{model_path(name)}/versions", query=query)
        for one in there["items"]:
            if one["version"] != version:
                await _patch(session, name, one["version"], {"stage": "Archived"})
    return moved


async def search(
    session: Session, *, text: str | None, order: list[str], token: str | None, limit: int
) -> dict[str, Any]:
    """A page of versions of all models, the last made first unless an order is given."""
    conditions = registered.without_prompts(parse_filter(text, registered.VERSIONS))
    words = registered.search_words(conditions)
    orders = parse_order(order, registered.VERSIONS) or [Order("attribute", "creation_timestamp", descending=True)]
    one_name = any((one.field, one.key, one.op) == ("attribute", "name", "=") for one in conditions)

    async def fetch(sort: str | None, cursor: str | None) -> Page:
        query: dict[str, Any] = {"versions": "all", "search": words, "sort": sort or "-created_at", "limit": CHUNK}
        page: Page = await session.registry("GET", "models", query=query | ({"cursor": cursor} if cursor else {}))
        return page

    found, following = await find(
        fetch, registered.version_value, conditions, sort=_sort(orders, one_name=one_name), order=orders, token=token,
        limit=limit,
    )  # fmt: skip
    return {"model_versions": [registered.version(one) for one in found]} | (
        {"next_page_token": following} if following else {}
    )


def _sort(orders: list[Order], *, one_name: bool) -> str | None:
    match orders:
        case [Order("attribute", "creation_timestamp" | "last_updated_timestamp", descending), *_]:
            return "-created_at" if descending else "created_at"
        case [Order("attribute", "version_number", descending), *_] if one_name:
            return "-version" if descending else "version"
        case [Order("attribute", "name", descending)]:
            return "-name" if descending else "name"
        case _:
            return None


async def _patch(session: Session, name: str, version: str, change: dict[str, Any]) -> dict[str, Any]:
    return {"model_version": registered.version(await session.registry("PATCH", path(name, version), change))}


def path(name: str, version: str) -> str:
    """A version in the registry. Raises InvalidError for what is an alias."""
    if not version or version.startswith("@"):
        raise InvalidError(f"{version!r} is no version of a model", path="version")
    return f"{model_path(name)}/versions/{part(version)}"
