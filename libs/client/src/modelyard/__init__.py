"""Modelyard's Python SDK: `from modelyard import Client`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.client import Client
    from modelyard.errors import ModelyardError

__all__ = ["Client", "ModelyardError"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the command line starts without paying for all of it."""
    match name:
        case "Client":
            from modelyard.client import Client

            return Client
        case "ModelyardError":
            from modelyard.errors import ModelyardError

            return ModelyardError
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
