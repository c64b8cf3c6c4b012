"""Our errors in MLflow's words. Source: mlflow/exceptions.py."""

from __future__ import annotations

from typing import Final, assert_never

from modelyard_platform.errors import PlatformError

_EXISTS: Final = frozenset(("asset_exists", "version_exists", "experiment_exists"))
_INVALID: Final = frozenset(
    ("run_deleted", "experiment_deleted", "experiment_default", "artifact_blocked", "property_set")
)


def to_mlflow(error: PlatformError) -> tuple[int, dict[str, str]]:
    """Status and body of an error."""
    status, code = _code(error)
    return status, {"error_code": code, "message": error.detail}


def _code(error: PlatformError) -> tuple[int, str]:
    match error.kind:
        case "invalid":
            return 400, "INVALID_PARAMETER_VALUE"
        case "unauthenticated":
            return 401, "UNAUTHENTICATED"
        case "forbidden":
            return 403, "PERMISSION_DENIED"
        case "not_found":
            return 404, "ENDPOINT_NOT_FOUND" if error.code == "endpoint_not_found" else "RESOURCE_DOES_NOT_EXIST"
        case "conflict" if error.code in _EXISTS:
            return 400, "RESOURCE_ALREADY_EXISTS"
        case "conflict" if error.code in _INVALID:
            return 400, "INVALID_PARAMETER_VALUE"
        case "conflict" | "precondition":
            return 409, "RESOURCE_CONFLICT"
        case "too_large":
            return 413, "INVALID_PARAMETER_VALUE"
        case "unavailable" if error.code == "not_implemented":
            return 501, "NOT_IMPLEMENTED"
        case "unavailable" if error.code == "internal":
            return 500, "INTERNAL_ERROR"
        case "unavailable":
            return 503, "TEMPORARILY_UNAVAILABLE"
        case _:
            assert_never(error.kind)
