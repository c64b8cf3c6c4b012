"""Logged models, files through the proxy, and what a client asks about the server itself."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import PlainTextResponse, StreamingResponse

from gateway import schemas
from gateway.api.mlflow.route import Asked, router
from gateway.schemas import as_dict
from gateway.usecases.mlflow import artifacts, logged_models
from modelyard_platform.errors import NotFoundError, UnavailableError

models_router = router("/api/2.0/mlflow/logged-models")
proxy_router = router("/api/2.0", max_body_bytes=None)  # artifacts are streamed
server_router = router("")

SPEAKS: Final = "3.17.2"
"""The version of MLflow whose protocol this is; clients look at it before they use what is new."""

_PAGE: Final = 100
_NOT_KEPT: Final = {
    "traces": "traces are not kept here",
    "webhooks": "webhooks are not registered by MLflow's API but with `modelyard subscription create`",
    "scorers": "scorers are not kept here",
    "datasets": "data sets of evaluations are not kept here",
}
"""Why some of MLflow's own is refused, by the first part of its path."""


@models_router.post("")
async def create(body: schemas.CreateLoggedModel, session: Asked) -> dict[str, Any]:
    return await logged_models.create(
        session, experiment=body.experiment_id, name=body.name, type_=body.model_type, run=body.source_run_id,
        params=as_dict(body.params), tags=as_dict(body.tags),
    )  # fmt: skip


@models_router.post("/search")
async def search(body: schemas.SearchLoggedModels, session: Asked) -> dict[str, Any]:
    order = [(one.field_name, one.ascending) for one in body.order_by]
    return await logged_models.search(
        session, experiments=body.experiment_ids, text=body.filter, order=order, token=body.page_token,
        limit=body.max_results or _PAGE,
    )  # fmt: skip


@models_router.get("/{model_id}")
async def get(model_id: str, session: Asked, *, allow_deleted: bool = False) -> dict[str, Any]:
    return await logged_models.get(session, model_id, deleted=allow_deleted)


@models_router.patch("/{model_id}")
async def finalize(model_id: str, body: schemas.FinalizeLoggedModel, session: Asked) -> dict[str, Any]:
    return await logged_models.change(session, model_id, status=body.status)


@models_router.delete("/{model_id}")
async def delete(model_id: str, session: Asked) -> dict[str, Any]:
    await logged_models.delete(session, model_id)
    return {}


@models_router.patch("/{model_id}/tags")
async def set_tags(model_id: str, body: schemas.Pairs, session: Asked) -> dict[str, Any]:
    return await logged_models.change(session, model_id, tags=dict(as_dict(body.tags)))


@models_router.delete("/{model_id}/tags/{key:path}")
async def delete_tag(model_id: str, key: str, session: Asked) -> dict[str, Any]:
    return await logged_models.change(session, model_id, tags={key: None})


@models_router.post("/{model_id}/params")
async def log_params(model_id: str, body: schemas.Pairs, session: Asked) -> dict[str, Any]:
    await logged_models.change(session, model_id, params=as_dict(body.params))
    return {}


@models_router.get("/{model_id}/artifacts/directories")
async def list_model_artifacts(
    model_id: str, session: Asked, artifact_directory_path: str | None = None
) -> dict[str, Any]:
    return await artifacts.list_logged_model(session, model_id, artifact_directory_path)


@proxy_router.get("/mlflow/artifacts/list")
async def list_run_artifacts(query: Annotated[schemas.ListArtifacts, Query()], session: Asked) -> dict[str, Any]:
    return await artifacts.list_run(session, query.run_id, query.path)


@proxy_router.get("/mlflow-artifacts/artifacts")
async def list_folder(session: Asked, path: str = "") -> dict[str, Any]:
    return {"files": await artifacts.list_folder(session, path)}


@proxy_router.get("/mlflow-artifacts/artifacts/{path:path}")
async def download(path: str, session: Asked) -> StreamingResponse:
    file = await artifacts.download(session, path)
    headers = {"Content-Length": str(file.size), "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(file.chunks, media_type="application/octet-stream", headers=headers)


@proxy_router.put("/mlflow-artifacts/artifacts/{path:path}")
async def upload(path: str, request: Request, session: Asked) -> dict[str, Any]:
    await artifacts.upload(session, path, request.stream())
    return {}


@proxy_router.delete("/mlflow-artifacts/artifacts/{path:path}")
async def delete_artifacts(path: str, session: Asked) -> dict[str, Any]:
    await artifacts.delete(session, path)
    return {}


@proxy_router.post("/mlflow-artifacts/mpu/{path:path}")
async def multipart(path: str, session: Asked) -> dict[str, Any]:
    # Parts are named by their digests here, which a client does not send: it then sends the file in one request.
    raise UnavailableError("Multipart upload is not supported", code="not_implemented")


@server_router.get("/version")
async def version() -> PlainTextResponse:
    return PlainTextResponse(SPEAKS)


@server_router.get("/health")
async def health() -> PlainTextResponse:
    return PlainTextResponse("OK")


@server_router.api_route("/api/{number}/mlflow{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def unknown(number: str, rest: str, request: Request, session: Asked) -> None:
    first = rest.strip("/").partition("/")[0]
    reason = _NOT_KEPT.get(first, f"{request.method} {request.url.path} is not part of what is spoken here")
    raise NotFoundError(
        f"{reason}: MLflow clients find models and their versions, experiments, runs, logged models and artifacts",
        code="endpoint_not_found",
    )
