"""`/api/v1/…`: each path to the service that owns it."""

from __future__ import annotations

from typing import Any

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.background import BackgroundTask

from gateway.api.parts import Caller, Wired
from gateway.clients import answer_headers
from gateway.domain.owners import OWNERS, owner_of
from modelyard_platform.errors import NotFoundError

router = APIRouter(prefix="/api/v1")


@router.get("/whoami", tags=["gateway"])
async def whoami(caller: Caller) -> dict[str, str]:
    """Who the token says you are."""
    return {"actor": caller.actor, "role": caller.role, "workspace": caller.workspace}


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, parts: Wired, caller: Caller) -> JSONResponse:
    """The public API, put together from the services' own descriptions."""
    merged: dict[str, Any] = request.app.openapi()
    schemas = dict(merged.get("components", {}).get("schemas", {}))
    paths = dict(merged["paths"])
    for owner in sorted(set(OWNERS.values())):
        described = await parts.upstreams.read(owner, caller, "/openapi.json")
        paths |= {path: item for path, item in described["paths"].items() if path.startswith("/api/v1/")}
        schemas |= described.get("components", {}).get("schemas", {})
    return JSONResponse(merged | {"paths": paths, "components": {"schemas": schemas}})


@router.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def forward(path: str, request: Request, parts: Wired, caller: Caller) -> StreamingResponse:
    """Whatever a service owns. The service decides whether the caller may."""
    owner = owner_of(path)
    if owner is None:
        raise NotFoundError(f"there is no /api/v1/{path.split('/', 1)[0]}; there are {', '.join(sorted(OWNERS))}")
    if {".", ".."} & set(path.split("/")):
        raise NotFoundError("a path with '.' or '..' leads nowhere")
    answer = await parts.upstreams.send(
        owner,
        caller,
        request.method,
        request.scope["raw_path"].decode("ascii"),  # what is in it is encoded: uvicorn has refused all else
        query=request.scope["query_string"],
        headers=httpx.Headers(request.headers.raw),
        body=request.stream(),
    )
    return StreamingResponse(
        answer.aiter_raw(), answer.status_code, answer_headers(answer), background=BackgroundTask(answer.aclose)
    )
