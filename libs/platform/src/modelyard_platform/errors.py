"""Errors that carry data, and their two total mappings: to an HTTP status and to what becomes of a message.

HTTP problems follow RFC 9457 (problem+json) with the members `code`, `path`, `line` and `errors` added.
"""

from __future__ import annotations

from typing import Any, Literal, assert_never

Kind = Literal[
    "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "precondition", "too_large", "unavailable"
]
Fate = Literal["retry", "dead_letter"]


class PlatformError(Exception):
    """A failure somebody can act on.

    `kind` decides the status, `code` is stable and for programs, `detail` says what was wrong, where, and what would be
    right. `members` are added to the problem document, such as `path` or `errors`.
    """

    kind: Kind = "invalid"
    code: str = "invalid"

    def __init__(self, detail: str, *, kind: Kind | None = None, code: str | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.kind = kind or type(self).kind
        self.code = code or type(self).code
        self.members = members


class InvalidError(PlatformError):
    """The request or document itself is wrong; sending it again cannot help."""


class NotFoundError(PlatformError):
    """What was named does not exist. `exists` may list what does."""

    kind: Kind = "not_found"
    code = "not_found"


class ConflictError(PlatformError):
    """The change contradicts what is there."""

    kind: Kind = "conflict"
    code = "conflict"


class PreconditionError(PlatformError):
    """The resource is not in a state in which this may be done."""

    kind: Kind = "precondition"
    code = "precondition"


class ForbiddenError(PlatformError):
    """Known, but not allowed."""

    kind: Kind = "forbidden"
    code = "forbidden"


class UnauthenticatedError(PlatformError):
    """Not known: no token, or one that does not hold."""

    kind: Kind = "unauthenticated"
    code = "unauthenticated"


class TooLargeError(PlatformError):
    """More bytes than allowed."""

    kind: Kind = "too_large"
    code = "too_large"


class UnavailableError(PlatformError):
    """Something this needs does not answer now; the same request may succeed later."""

    kind: Kind = "unavailable"
    code = "unavailable"


def http_status(kind: Kind) -> int:
    """The status an error of this kind is answered with."""
    match kind:
        case "invalid":
            return 400
        case "unauthenticated":
            return 401
        case "forbidden":
            return 403
        case "not_found":
            return 404
        case "conflict":
            return 409
        case "precondition":
            return 412
        case "too_large":
            return 413
        case "unavailable":
            return 503
        case _:
            assert_never(kind)


def message_fate(kind: Kind) -> Fate:
    """What becomes of a message whose handler raised an error of this kind.

    What another message or a moment may still mend is retried; what is wrong in itself goes to the dead letters.
    """
    match kind:
        case "not_found" | "conflict" | "precondition" | "unavailable":
            return "retry"
        case "invalid" | "unauthenticated" | "forbidden" | "too_large":
            return "dead_letter"
        case _:
            assert_never(kind)


_KINDS: dict[int, Kind] = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "precondition",
    413: "too_large",
    422: "invalid",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


def to_problem(error: PlatformError) -> dict[str, Any]:
    """The problem+json document of an error."""
    return {
        "type": f"urn:modelyard:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": http_status(error.kind),
        "detail": error.detail,
        "code": error.code,
        **error.members,
    }


def from_problem(status: int, problem: dict[str, Any]) -> PlatformError:
    """The error another service answered with, so that it can be raised here with the same meaning."""
    members = {key: value for key, value in problem.items() if key not in ("type", "title", "status", "detail", "code")}
    kind = _KINDS.get(status, "unavailable" if status >= 500 else "invalid")
    return PlatformError(
        str(problem.get("detail") or f"HTTP status {status}"),
        kind=kind,
        code=str(problem.get("code") or kind),
        **members,
    )
