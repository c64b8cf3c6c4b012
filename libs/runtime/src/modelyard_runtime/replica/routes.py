"""The replica's routes: `/score`, the Open Inference Protocol, and what only the node's own network may see
(`/metrics`, `/logs`).

The edge passes on nothing but `/score` and `/v2`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson

from modelyard_platform.errors import PlatformError, http_status, to_problem
from modelyard_runtime.replica.dataplane import DataPlane, DeadlineExceededError
from modelyard_runtime.replica.http import Request, Response, problem
from modelyard_runtime.replica.oip import metadata
from modelyard_runtime.replica.script import (
    ScriptBusyError,
    ScriptFailedError,
    ScriptHost,
    ScriptTimeoutError,
    ScriptUnavailableError,
)

log = logging.getLogger(__name__)

_TEXT: Final = b"content-type: text/plain; charset=utf-8\r\n"
_PROBLEM: Final = b"content-type: application/problem+json\r\n"
_READY: Final = Response(200, b'{"ready":true}')
_NOT_READY: Final = Response(503, b'{"ready":false}')


class Routes:
    """Sends a request to what answers it. Never raises: every failure becomes a problem document."""

    def __init__(
        self,
        *,
        model: str,
        version: str,
        plane: DataPlane | None,
        script: ScriptHost | None,
        timeout_s: float,
        ready: Callable[[], bool],
        metrics: Callable[[], bytes],
        logs: Callable[[], bytes],
    ) -> None:
        self._plane = plane
        self._script = script
        self._timeout_s = timeout_s
        self._ready = ready
        score = self._script_score if script is not None else self._score
        described = plane.metadata() if plane is not None else metadata(model, version, None)
        base = f"/v2/models/{model}".encode()
        posts: dict[bytes, Callable[[Request], Response | Coroutine[Any, Any, Response]]] = {
            b"/score": score,
            b"/": score,
        }
        gets: dict[bytes, Callable[[Request], Response]] = {
            b"/v2": lambda _: Response(200, orjson.dumps({"name": "modelyard", "version": version, "extensions": []})),
            b"/v2/health/live": lambda _: Response(200, b'{"live":true}'),
            b"/v2/health/ready": self._readiness,
            b"/metrics": lambda _: Response(200, metrics(), _TEXT),
            b"/logs": lambda _: Response(200, logs(), _TEXT),
        }
        for prefix in (base, base + f"/versions/{version}".encode()):
            posts[prefix + b"/infer"] = self._infer
            gets[prefix] = lambda _: Response(200, described)
            gets[prefix + b"/ready"] = self._readiness
        self._posts = posts
        self._gets = gets
        self._models = base

    def handle(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answers at once, or gives a coroutine that will."""
        try:
            if request.method == b"POST":
                route = self._posts.get(request.path)
                if route is not None:
                    return route(request)
            elif request.method == b"GET":
                known = self._gets.get(request.path)
                if known is not None:
                    return known(request)
            return self._unknown(request)
        except PlatformError as error:
            return _refused(error, request)
        except Exception:
            log.exception("request %s failed", request.request_id.decode())
            return problem(
                500,
                "internal",
                f"the replica failed on this request; its log has it under {request.request_id.decode()}",
            )

    def _readiness(self, _: Request) -> Response:
        return _READY if self._ready() else _NOT_READY

    def _score(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        assert self._plane is not None
        answer = self._plane.score(request.body, request.request_id)
        return Response(200, answer) if type(answer) is bytes else self._later(answer, request)

    def _infer(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        if self._plane is None:
            return problem(
                501,
                "not_implemented",
                "this deployment's score script answers /score; V2 inference needs an ONNX model",
            )
        answer = self._plane.infer(request.body, request.request_id)
        return Response(200, answer) if type(answer) is bytes else self._later(answer, request)

    async def _later(self, answer: Any, request: Request) -> Response:
        try:
            return Response(200, await answer)
        except PlatformError as error:
            return _refused(error, request)
        except DeadlineExceededError:
            return problem(504, "timeout", f"the model did not answer within {self._timeout_s:g} s")
        except Exception:
            log.exception("request %s failed", request.request_id.decode())
            return problem(
                500,
                "internal",
                f"the replica failed on this request; its log has it under {request.request_id.decode()}",
            )

    async def _script_score(self, request: Request) -> Response:
        assert self._script is not None
        try:
            return Response(200, await self._script.run(request.body, request.request_id, self._timeout_s))
        except PlatformError as error:
            return _refused(error, request)
        except ScriptFailedError as error:
            return problem(500, "script_failed", f"run() raised {error}")
        except ScriptTimeoutError as error:
            return problem(504, "timeout", str(error))
        except ScriptBusyError as error:
            return problem(429, "busy", str(error))
        except ScriptUnavailableError as error:
            return problem(503, "unavailable", str(error))
        except Exception:
            log.exception("request %s failed", request.request_id.decode())
            return problem(
                500,
                "internal",
                f"the replica failed on this request; its log has it under {request.request_id.decode()}",
            )

    def _unknown(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        path, query, _ = request.path.partition(b"?")
        if query:
            return self.handle(request._replace(path=path))
        shown = path[:200].decode("ascii", "backslashreplace")
        allowed = "POST" if path in self._posts else "GET" if path in self._gets else None
        if allowed:
            refused = problem(405, "method_not_allowed", f"{shown} takes {allowed}")
            return refused._replace(headers=refused.headers + f"allow: {allowed}\r\n".encode())
        if path.startswith(b"/v2/models/") and not path.startswith(self._models):
            return problem(
                404,
                "unknown_model",
                f"{shown}: the model here is {self._models[11:].decode()!r}",
                error="unknown model",
            )
        return problem(404, "not_found", f"{shown}: the routes are /score and /v2/…")


def _refused(error: PlatformError, request: Request) -> Response:
    document = to_problem(error)
    if request.path.startswith(b"/v2"):
        document["error"] = error.detail  # what the Open Inference Protocol's clients read
    return Response(http_status(error.kind), orjson.dumps(document, default=str), _PROBLEM)
