"""What the MLflow routes share: their session, and errors in MLflow's form."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from gateway.api.parts import Caller, Wired
from gateway.domain.mlflow.errors import to_mlflow
from gateway.usecases.mlflow.parts import Session
from modelyard_platform.errors import InvalidError, PlatformError
from modelyard_platform.http import MAX_BODY_BYTES


class MlflowRoute(APIRoute):
    """Answers errors as `{error_code, message}`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with our errors caught."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except PlatformError as error:
                return error_response(error)
            except RequestValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(one) for one in first["loc"][1:])
                return error_response(InvalidError(f"{where}: {first['msg']}"))

        return answer


def error_response(error: PlatformError) -> JSONResponse:
    """An error as MLflow clients read it."""
    status, body = to_mlflow(error)
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(body, status, headers)


def router(prefix: str, *, max_body_bytes: int | None = MAX_BODY_BYTES) -> APIRouter:
    """A router of the MLflow API; it is no part of our own public description."""
    return APIRouter(prefix=prefix, route_class=MlflowRoute, include_in_schema=False, max_body_size=max_body_bytes)


async def _session(request: Request, parts: Wired, caller: Caller) -> Session:
    return Session(parts.upstreams, caller, httpx.Headers(request.headers.raw))


Asked = Annotated[Session, Depends(_session)]
