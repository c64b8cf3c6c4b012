"""Modelyard's Python SDK: `from modelyard import Client`, or `AsyncClient` for asyncio."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.aio.client import AsyncClient
    from modelyard.client import Client
    from modelyard.errors import ModelyardError

__all__ = ["AsyncClient", "Client", "ModelyardError"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the command line starts without paying for all of it."""
    match name:
        case "AsyncClient":
            from modelyard.aio.client import AsyncClient

            return AsyncClient
        case "Client":
            from modelyard.client import Client

            return Client
        case "ModelyardError":
            from modelyard.errors import ModelyardError

            return ModelyardError
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
