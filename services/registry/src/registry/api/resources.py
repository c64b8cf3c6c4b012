"""Routes of compute, datastores and connections: the same for each of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from modelyard_contracts.workspaces import ResourceKind
from modelyard_platform.http import Contributor, Reader
from registry.api.parts import Limit, NamePath, Wired
from registry.domain.resources import RESOURCE_KINDS
from registry.schemas.resources import PutResource, Resource, ResourcePage, ResourceRequest
from registry.usecases import resources


def routers() -> list[APIRouter]:
    """A router for each kind."""
    return [_router(kind) for kind in RESOURCE_KINDS]


def _router(kind: ResourceKind) -> APIRouter:
    router = APIRouter(prefix=f"/api/v1/{kind}", tags=[kind])

    @router.get("", response_model=ResourcePage, operation_id=f"list_{kind}")
    async def list_(
        parts: Wired,
        caller: Reader,
        type_: Annotated[str | None, Query(alias="type", max_length=64)] = None,
        cursor: Annotated[str, Query(max_length=255)] = "",
        limit: Limit = 100,
    ) -> Any:
        """All of them, by name."""
        items, following = await resources.list_resources(
            parts.pool, caller.cause.workspace, kind, type_=type_, after=cursor, limit=limit
        )
        return {"items": items, "next": following}

    @router.get("/{name}", response_model=Resource, operation_id=f"get_{kind}")
    async def get(name: NamePath, parts: Wired, caller: Reader) -> Any:
        return await resources.get_resource(parts.pool, caller.cause.workspace, kind, name)

    @router.put("/{name}", response_model=PutResource, operation_id=f"put_{kind}")
    async def put(name: NamePath, body: ResourceRequest, parts: Wired, caller: Contributor) -> Any:
        """Make it, or put another specification in the place of its own. What gives access (credentials, keys, passwords) is not kept."""
        return await resources.put_resource(parts.pool, caller.cause, kind, name, body.spec)

    @router.delete("/{name}", status_code=204, operation_id=f"delete_{kind}")
    async def delete(name: NamePath, parts: Wired, caller: Contributor) -> None:
        """Delete it; a datastore not while something stands on it."""
        await resources.delete_resource(parts.pool, caller.cause, kind, name)

    return router
