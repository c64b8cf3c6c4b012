"""Routes of logged models and of the artifacts of models and runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard_platform.http import Contributor, Reader
from scheduler.api.parts import Limit, TextPath, TextQuery, Wired, as_search, page
from scheduler.schemas import ArtifactContent, LoggedModelChange, NewLoggedModel, Page, SearchIn
from scheduler.usecases import artifacts, logged_models

models_router = APIRouter(prefix="/api/v1/logged-models", tags=["runs"])
artifacts_router = APIRouter(prefix="/api/v1/artifacts", tags=["runs"])


@models_router.post("", status_code=201, operation_id="create_logged_model")
async def create_model(body: NewLoggedModel, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Announce a model that a run makes; its files are put under its `artifacts`."""
    return await logged_models.create_model(
        parts.pool, caller.cause, experiment=body.experiment, name=body.name, type_=body.type, run=body.run,
        params=body.params, tags=body.tags,
    )  # fmt: skip


@models_router.post("/search", response_model=Page, operation_id="search_logged_models")
async def search_models(body: SearchIn, parts: Wired, caller: Reader) -> Any:
    """Logged models of some experiments that meet all conditions."""
    search = as_search(body)
    return page(await logged_models.search_models(parts.pool, caller.cause, body.experiments, search), search.offset)


@models_router.get("/{id_}", operation_id="get_logged_model")
async def get_model(id_: TextPath, parts: Wired, caller: Reader, *, deleted: bool = False) -> dict[str, Any]:
    """A logged model with its params, tags and metrics; with `deleted` also one that is."""
    return await logged_models.get_model(parts.pool, caller.cause, id_, deleted=deleted)


@models_router.patch("/{id_}", operation_id="update_logged_model")
async def update_model(id_: TextPath, body: LoggedModelChange, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Say how it stands, add params, set or remove tags."""
    return await logged_models.update_model(
        parts.pool, caller.cause, id_, status=body.status, params=body.params, tags=body.tags
    )


@models_router.delete("/{id_}", status_code=204, operation_id="delete_logged_model")
async def delete_model(id_: TextPath, parts: Wired, caller: Contributor) -> None:
    """Hide a logged model. Versions that were registered from it stay."""
    await logged_models.delete_model(parts.pool, caller.cause, id_)


@artifacts_router.get("", response_model=Page, operation_id="list_artifacts")
async def list_artifacts(
    parts: Wired,
    caller: Reader,
    under: TextQuery,
    *,
    recursive: bool = False,
    cursor: TextQuery = "",
    limit: Limit = 1000,
) -> Any:
    """What lies directly in a folder (`{name, folder, size}`), or with `recursive` every file under it, with its digest."""
    found = artifacts.list_under if recursive else artifacts.list_children
    items, following = await found(parts.pool, caller.cause, under.strip("/"), after=cursor, limit=limit)
    return {"items": items, "next": following}


@artifacts_router.get("/{path:path}", operation_id="get_artifact")
async def get_artifact(path: TextPath, parts: Wired, caller: Reader) -> dict[str, Any]:
    """A file's digest and size; its bytes are a blob, or several."""
    return await artifacts.get_artifact(parts.pool, caller.cause, path)


@artifacts_router.put("/{path:path}", operation_id="put_artifact")
async def put_artifact(path: TextPath, body: ArtifactContent, parts: Wired, caller: Contributor) -> dict[str, Any]:
    """Name a file whose blobs are stored; a file of that name is replaced."""
    return await artifacts.put_artifact(
        parts.pool, caller.cause, path, sha256=body.sha256, size=body.size, parts=body.parts
    )


@artifacts_router.delete("/{path:path}", status_code=204, operation_id="delete_artifacts")
async def delete_artifacts(path: TextPath, parts: Wired, caller: Contributor) -> None:
    """Forget a file, or a folder with all that is under it. Versions that were registered from it stay whole."""
    await artifacts.delete_artifacts(parts.pool, caller.cause, path.strip("/"))
