"""The HTTP edge of a service: who calls, problems as problem+json, `/healthz`, `/readyz`, `/metrics`, traces and request metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

import asyncpg
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from nats.errors import Error as NatsError
from opentelemetry.trace import SpanKind
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelyard_platform import identity, telemetry
from modelyard_platform.cause import Cause, Identity, Role, cause_of_request
from modelyard_platform.errors import (
    ForbiddenError,
    InvalidError,
    PlatformError,
    UnauthenticatedError,
    UnavailableError,
    from_problem,
    http_status,
    to_problem,
)

log = logging.getLogger(__name__)

PROBLEM: Final = "application/problem+json"
MAX_BODY_BYTES: Final = 8 << 20
"""Of a request in JSON: twice what a specification may have. Files travel as blobs."""
REQUESTS: Final = Counter(
    "modelyard_http_requests_total", "Requests answered", ("service", "method", "route", "status")
)
SECONDS: Final = Histogram("modelyard_http_request_seconds", "Time to the whole answer", ("service", "method", "route"))

Ready: TypeAlias = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, and the cause of whatever they change."""

    identity: Identity
    cause: Cause


def authenticate(request: Request) -> Caller:
    """The caller by the signed identity in `Authorization: Bearer`. Raises UnauthenticatedError."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("send Authorization: Bearer with an identity signed by the gateway")
    who = identity.verify(request.app.state.identity_key, token)
    return Caller(who, cause_of_request(who, request.headers, telemetry.traceparent()))


def _at_least(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    async def check(request: Request) -> Caller:  # async, since it never waits: FastAPI gives others a thread
        caller = authenticate(request)
        if not caller.identity.may(role):
            raise ForbiddenError(f"{caller.identity.actor} has the role {caller.identity.role}; this needs {role}")
        return caller

    return check


Reader = Annotated[Caller, Depends(_at_least("reader"))]
Contributor = Annotated[Caller, Depends(_at_least("contributor"))]
Deployer = Annotated[Caller, Depends(_at_least("deployer"))]
Owner = Annotated[Caller, Depends(_at_least("owner"))]
Service = Annotated[Caller, Depends(_at_least("service"))]


def problem_response(error: PlatformError) -> JSONResponse:
    """An error as problem+json."""
    headers = {"Retry-After": "1"} if error.kind == "unavailable" else None
    if error.kind == "unauthenticated":
        headers = {"WWW-Authenticate": "Bearer"}
    return JSONResponse(to_problem(error), http_status(error.kind), headers, media_type=PROBLEM)


def _from_validation(error: RequestValidationError) -> PlatformError:
    errors = [_finding(item) for item in error.errors()[:50]]
    first = errors[0] if errors else {"path": "", "message": "not valid"}
    return InvalidError(
        f"{first['path']}: {first['message']}", code="request_invalid", path=first["path"], errors=errors
    )


def _finding(item: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a request, and with which part of it. JSON that cannot be read is wrong as a whole: what FastAPI counts there
    are characters, no key."""
    if item["type"] == "json_invalid":
        reason = (item.get("ctx") or {}).get("error") or item["msg"]
        return {"path": "body", "message": f"this is no JSON: {reason} (character {item['loc'][-1]})"}
    return {"path": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}


def create_app(
    *,
    service: str,
    identity_key: str,
    routers: list[APIRouter],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[Any]],
    ready: Ready,
    max_body_bytes: int | None = MAX_BODY_BYTES,
) -> FastAPI:
    """A service's FastAPI application. `ready` raises when something the service needs does not answer.

    A body of more than `max_body_bytes` is answered with 413, whatever its length says; a router or a route may have a bound of its own.
    """
    app = FastAPI(
        title=f"Modelyard {service}",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # `_Observed` makes the request's span and counts it: FastAPI's own would be a second one.
        max_body_size=max_body_bytes,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.identity_key = identity_key
    for router in routers:
        app.include_router(router)

    @app.exception_handler(PlatformError)
    async def on_platform_error(_: Request, error: PlatformError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_from_validation(error))

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> JSONResponse:
        problem = to_problem(from_problem(error.status_code, {"detail": str(error.detail)}))
        return JSONResponse(
            problem | {"status": error.status_code}, error.status_code, error.headers, media_type=PROBLEM
        )

    @app.exception_handler(asyncpg.DataError)
    async def on_data_error(_: Request, error: asyncpg.DataError) -> JSONResponse:
        # The last line against input that no check has met, such as U+0000 in a parameter: it is the caller's, and nothing was kept.
        return problem_response(InvalidError(f"the database cannot take a value of this request: {error}"))

    async def on_unavailable(_: Request, error: Exception) -> JSONResponse:
        log.warning("something this needs does not answer", extra={"error": repr(error)})
        return problem_response(UnavailableError("a part this needs does not answer at the moment; try again"))

    lost = (
        OSError,
        TimeoutError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.InterfaceError,
        NatsError,
    )
    for kind in lost:
        app.add_exception_handler(kind, on_unavailable)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        try:
            await ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service is not ready
            return JSONResponse({"status": "unavailable", "detail": repr(error)}, 503)
        return JSONResponse({"status": "ok"})

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_middleware(_Observed, service=service)
    return app


class _Observed:
    """A span and two metrics for every request; an unexpected error is logged and answered as a problem without its text."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()
        answered = False

        async def observe(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], True
            await send(message)

        parent = dict(scope["headers"]).get(b"traceparent", b"").decode() or None
        method = scope["method"]
        with telemetry.span(f"{method} {scope['path']}", parent=parent, kind=SpanKind.SERVER):
            try:
                await self._app(scope, receive, observe)
            except Exception:
                log.exception("unexpected error", extra={"method": method, "path": scope["path"]})
                if answered:
                    raise
                problem = to_problem(
                    PlatformError("an unexpected error; the service's log has it", kind="unavailable", code="internal")
                )
                await JSONResponse(problem | {"status": 500}, 500, media_type=PROBLEM)(scope, receive, observe)
        route = getattr(scope.get("route"), "path", "other")
        REQUESTS.labels(self._service, method, route, status).inc()
        SECONDS.labels(self._service, method, route).observe(time.perf_counter() - started)
