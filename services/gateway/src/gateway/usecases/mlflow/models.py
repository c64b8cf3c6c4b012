"""Registered models of MLflow clients: names in the registry."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from gateway.domain.mlflow import registered
from gateway.domain.mlflow.filters import Order, parse_filter, parse_order
from gateway.usecases.mlflow.parts import Session, part
from gateway.usecases.mlflow.searching import CHUNK, Page, find
from modelyard_platform.errors import InvalidError, NotFoundError, PlatformError, UnavailableError

_PARALLEL: Final = 8
_SHOWN: Final = 1000
"""Versions of a model that are looked at for its stages and aliases."""


async def create(session: Session, name: str, description: str, tags: dict[str, str]) -> dict[str, Any]:
    """A registered model without versions. Raises UnavailableError (`not_implemented`) for a prompt, which MLflow 3 keeps as a model."""
    if tags.get(registered.PROMPT) == "true":
        raise UnavailableError("prompts are not kept here, only models", code="not_implemented")
    made = await session.registry("POST", path(name), {"description": description, "tags": tags})
    return {"registered_model": registered.model(made, ())}


async def get(session: Session, name: str) -> dict[str, Any]:
    """A registered model with the newest version of each stage."""
    return {"registered_model": await _whole(session, await session.registry("GET", path(name)))}


async def update(session: Session, name: str, description: str) -> dict[str, Any]:
    """Change its description."""
    found = await session.registry("PATCH", path(name), {"description": description})
    return {"registered_model": await _whole(session, found)}


async def delete(session: Session, name: str) -> None:
    """Delete it with all of its versions, unless something stands on one."""
    await session.registry("DELETE", path(name))


async def set_tag(session: Session, name: str, key: str, value: str) -> None:
    """Set a tag."""
    await session.registry("PATCH", path(name), {"set_tags": {key: value}})


async def delete_tag(session: Session, name: str, key: str) -> None:
    """Remove a tag; one that is not there is no error."""
    await session.registry("PATCH", path(name), {"remove_tags": [key]})


async def set_alias(session: Session, name: str, alias: str, version: str) -> None:
    """Let an alias name a version."""
    await session.registry("PUT", f"{path(name)}/aliases/{part(alias)}", {"version": version})


async def delete_alias(session: Session, name: str, alias: str) -> None:
    """Remove an alias; one that is not there is no error, a model that is not there is."""
    try:
        await session.registry("DELETE", f"{path(name)}/aliases/{part(alias)}")
    except PlatformError as error:
        if error.kind != "not_found":
            raise
        await session.registry("GET", path(name))


async def latest_versions(session: Session, name: str, stages: list[str]) -> dict[str, Any]:
    """The newest version of each stage, or of these stages."""
    wanted = [registered.check_stage(stage) for stage in stages] or registered.STAGES
    found = await versions_of(session, name)
    return {"model_versions": [registered.version(one) for one in registered.latest(found, wanted)]}


async def search(
    session: Session, *, text: str | None, order: list[str], token: str | None, limit: int
) -> dict[str, Any]:
    """A page of registered models, by name unless an order is given."""
    conditions = registered.without_prompts(parse_filter(text, registered.MODELS))
    words = registered.search_words(conditions)
    orders = parse_order(order, registered.MODELS) or [Order("attribute", "name")]

    async def fetch(sort: str | None, cursor: str | None) -> Page:
        query: dict[str, Any] = {"kind": "models", "search": words, "sort": sort or "name", "limit": CHUNK}
        page: Page = await session.registry("GET", "assets", query=query | ({"cursor": cursor} if cursor else {}))
        return page

    found, following = await find(
        fetch, registered.model_value, conditions, sort=_sort(orders), order=orders, token=token, limit=limit
    )
    turn = asyncio.Semaphore(_PARALLEL)

    async def whole(document: dict[str, Any]) -> dict[str, Any]:
        async with turn:
            return await _whole(session, document)

    models = await asyncio.gather(*(whole(document) for document in found))
    return {"registered_models": models} | ({"next_page_token": following} if following else {})


def _sort(orders: list[Order]) -> str | None:
    match orders:
        case [Order("attribute", "name", descending), *_]:  # names are distinct: nothing is left for a second order
            return "-name" if descending else "name"
        case [Order("attribute", "last_updated_timestamp", descending)]:
            return "-updated_at" if descending else "updated_at"
        case _:
            return None


async def versions_of(session: Session, name: str) -> list[dict[str, Any]]:
    """A model's newest versions, newest first. Raises NotFoundError for a model that is not there."""
    page = await session.registry("GET", f"{path(name)}/versions", query={"limit": _SHOWN})
    items: list[dict[str, Any]] = page["items"]
    return items


async def _whole(session: Session, document: dict[str, Any]) -> dict[str, Any]:
    try:
        found = await versions_of(session, document["name"]) if document["latest"] else []
    except PlatformError as error:
        if error.kind != "not_found":
            raise
        raise NotFoundError(f"the model {document['name']!r} has just been deleted") from error
    return registered.model(document, found)


def path(name: str) -> str:
    """A model in the registry. Raises InvalidError for a name that no model can have."""
    if "/" in name:
        raise InvalidError(f"the name {name[:80]!r} is not allowed: it has a slash", path="name")
    return f"models/{part(name)}"
