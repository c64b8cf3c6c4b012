"""Registered models and their versions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from gateway import schemas
from gateway.api.mlflow.route import Asked, router
from gateway.schemas import as_dict
from gateway.usecases.mlflow import models, versions
from modelyard_platform.errors import InvalidError

models_router = router("/api/2.0/mlflow/registered-models")
versions_router = router("/api/2.0/mlflow/model-versions")
_MODELS = 100
_VERSIONS = 10_000


@models_router.post("/create")
async def create_model(body: schemas.CreateRegisteredModel, session: Asked) -> dict[str, Any]:
    return await models.create(session, body.name, body.description, as_dict(body.tags))


@models_router.get("/get")
async def get_model(query: Annotated[schemas.ByName, Query()], session: Asked) -> dict[str, Any]:
    return await models.get(session, query.name)


@models_router.patch("/update")
async def update_model(body: schemas.UpdateRegisteredModel, session: Asked) -> dict[str, Any]:
    return await models.update(session, body.name, body.description)


@models_router.post("/rename")
async def rename_model(body: schemas.RenameRegisteredModel, session: Asked) -> dict[str, Any]:
    raise InvalidError(
        f"{body.name!r} cannot be renamed: deployments, jobs and lineage refer to it by its name; "
        f"register {body.new_name!r} from it with copy_model_version"
    )


@models_router.delete("/delete")
async def delete_model(body: schemas.ByName, session: Asked) -> dict[str, Any]:
    await models.delete(session, body.name)
    return {}


@models_router.get("/search")
async def search_models(query: Annotated[schemas.Search, Query()], session: Asked) -> dict[str, Any]:
    return await models.search(
        session, text=query.filter, order=query.order_by, token=query.page_token, limit=query.max_results or _MODELS
    )


@models_router.get("/get-latest-versions")
async def get_latest_versions_get(query: Annotated[schemas.LatestVersions, Query()], session: Asked) -> dict[str, Any]:
    return await models.latest_versions(session, query.name, query.stages)


@models_router.post("/get-latest-versions")
async def get_latest_versions(body: schemas.LatestVersions, session: Asked) -> dict[str, Any]:
    return await models.latest_versions(session, body.name, body.stages)


@models_router.post("/set-tag")
async def set_model_tag(body: schemas.RegisteredModelTag, session: Asked) -> dict[str, Any]:
    await models.set_tag(session, body.name, body.key, body.value)
    return {}


@models_router.delete("/delete-tag")
async def delete_model_tag(body: schemas.RegisteredModelTagKey, session: Asked) -> dict[str, Any]:
    await models.delete_tag(session, body.name, body.key)
    return {}


@models_router.post("/alias")
async def set_alias(body: schemas.SetAlias, session: Asked) -> dict[str, Any]:
    await models.set_alias(session, body.name, body.alias, body.version)
    return {}


@models_router.delete("/alias")
async def delete_alias(body: schemas.Alias, session: Asked) -> dict[str, Any]:
    await models.delete_alias(session, body.name, body.alias)
    return {}


@models_router.get("/alias")
async def get_by_alias(query: Annotated[schemas.Alias, Query()], session: Asked) -> dict[str, Any]:
    return await versions.get_by_alias(session, query.name, query.alias)


@versions_router.post("/create")
async def create_version(body: schemas.CreateModelVersion, session: Asked) -> dict[str, Any]:
    return await versions.create(
        session, body.name, source=body.source, run=body.run_id or None, run_link=body.run_link,
        model=body.model_id or None, description=body.description, tags=as_dict(body.tags),
    )  # fmt: skip


@versions_router.get("/get")
async def get_version(query: Annotated[schemas.ByVersion, Query()], session: Asked) -> dict[str, Any]:
    return await versions.get(session, query.name, query.version)


@versions_router.patch("/update")
async def update_version(body: schemas.UpdateModelVersion, session: Asked) -> dict[str, Any]:
    return await versions.update(session, body.name, body.version, body.description)


@versions_router.post("/transition-stage")
async def transition(body: schemas.Transition, session: Asked) -> dict[str, Any]:
    return await versions.transition(
        session, body.name, body.version, body.stage, archive_existing=body.archive_existing_versions
    )


@versions_router.delete("/delete")
async def delete_version(body: schemas.ByVersion, session: Asked) -> dict[str, Any]:
    await versions.delete(session, body.name, body.version)
    return {}


@versions_router.get("/search")
async def search_versions(query: Annotated[schemas.Search, Query()], session: Asked) -> dict[str, Any]:
    return await versions.search(
        session, text=query.filter, order=query.order_by, token=query.page_token, limit=query.max_results or _VERSIONS
    )


@versions_router.get("/get-download-uri")
async def get_download_uri(query: Annotated[schemas.ByVersion, Query()], session: Asked) -> dict[str, Any]:
    return await versions.download_uri(session, query.name, query.version)


@versions_router.post("/set-tag")
async def set_version_tag(body: schemas.ModelVersionTag, session: Asked) -> dict[str, Any]:
    await versions.set_tag(session, body.name, body.version, body.key, body.value)
    return {}


@versions_router.delete("/delete-tag")
async def delete_version_tag(body: schemas.ModelVersionTagKey, session: Asked) -> dict[str, Any]:
    await versions.delete_tag(session, body.name, body.version, body.key)
    return {}
