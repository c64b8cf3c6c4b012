"""Routes of models, data, environments and components: the same for each kind."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from modelyard_contracts.registry import AssetKind
from modelyard_platform.http import Contributor, Reader
from registry.api.parts import IdempotencyKey, Limit, Tags, Wired, read_cursor
from registry.domain.assets import KINDS
from registry.schemas.assets import AliasTarget, FilePage, MetadataChange, RegisterRequest, Version, VersionPage
from registry.usecases import assets
from registry.usecases.specs import read_spec


def routers() -> list[APIRouter]:
    """One router for each kind of asset."""
    return [_router(kind) for kind in KINDS]


def _router(kind: AssetKind) -> APIRouter:
    router = APIRouter(prefix=f"/api/v1/{kind}", tags=[kind])

    @router.post("", status_code=201, response_model=Version, operation_id=f"register_{kind}")
    async def register(body: RegisterRequest, parts: Wired, caller: Contributor, key: IdempotencyKey = None) -> Any:
        """Register a version. Without a version in the specification it gets the name's next number."""
        new, path = read_spec(kind, body.spec, job=body.job, environment=body.environment, sample=body.sample)
        return await assets.register_version(parts.pool, parts.store, parts.scheduler, caller.cause, new, path, key)

    @router.get("", response_model=VersionPage, operation_id=f"list_{kind}")
    async def list_newest(
        parts: Wired,
        caller: Reader,
        tags: Tags,
        name: Annotated[str, Query(description="`*` stands for anything")] = "*",
        *,
        archived: bool = False,
        cursor: str = "",
        limit: Limit = 100,
    ) -> Any:
        """The newest version of each name."""
        items, following = await assets.list_newest(
            parts.pool,
            caller.cause.workspace,
            kind,
            pattern=name,
            tags=tags,
            archived=archived,
            after=cursor,
            limit=limit,
        )
        return {"items": items, "next": following}

    @router.get("/{name}/versions", response_model=VersionPage, operation_id=f"list_versions_of_{kind}")
    async def list_versions(
        name: str,
        parts: Wired,
        caller: Reader,
        tags: Tags,
        *,
        archived: bool = False,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Any:
        """A name's versions, newest first."""
        before = read_cursor(cursor)
        items, following = await assets.list_versions(
            parts.pool, caller.cause.workspace, kind, name, tags=tags, archived=archived, before=before, limit=limit
        )
        return {"items": items, "next": following}

    @router.get("/{name}/versions/{version}", response_model=Version, operation_id=f"get_{kind}")
    async def get(name: str, version: str, parts: Wired, caller: Reader) -> Any:
        return await assets.get_version(parts.pool, caller.cause.workspace, kind, name, version)

    @router.get("/{name}/labels/{label}", response_model=Version, operation_id=f"get_labelled_{kind}")
    async def get_labelled(name: str, label: str, parts: Wired, caller: Reader) -> Any:
        """The version an alias names; `latest` is the newest that is not archived."""
        return await assets.get_version(parts.pool, caller.cause.workspace, kind, name, f"@{label}")

    @router.get("/{name}/versions/{version}/tree", response_model=FilePage, operation_id=f"get_tree_of_{kind}")
    async def get_tree(name: str, version: str, parts: Wired, caller: Reader) -> Any:
        """A version's files; each is a blob."""
        tree = await assets.read_tree(parts.pool, parts.store, caller.cause.workspace, kind, name, version)
        return {"digest": tree.digest, "size": tree.size, "files": [file.model_dump() for file in tree.files]}

    @router.patch("/{name}/versions/{version}", response_model=Version, operation_id=f"update_{kind}")
    async def update(name: str, version: str, body: MetadataChange, parts: Wired, caller: Contributor) -> Any:
        """Change metadata. Content never changes."""
        changes = body.model_dump(exclude_none=True)
        return await assets.update_metadata(parts.pool, caller.cause, kind, name, version, changes)

    @router.delete("/{name}/versions/{version}", status_code=204, operation_id=f"delete_{kind}")
    async def delete(name: str, version: str, parts: Wired, caller: Contributor) -> None:
        """Delete for good; refused while something stands on it."""
        await assets.delete_version(parts.pool, caller.cause, kind, name, version)

    @router.post("/{name}/versions/{version}/archive", response_model=Version, operation_id=f"archive_{kind}")
    async def archive(name: str, version: str, parts: Wired, caller: Contributor) -> Any:
        return await assets.set_archived(parts.pool, caller.cause, kind, name, version, archived=True)

    @router.post("/{name}/versions/{version}/restore", response_model=Version, operation_id=f"restore_{kind}")
    async def restore(name: str, version: str, parts: Wired, caller: Contributor) -> Any:
        return await assets.set_archived(parts.pool, caller.cause, kind, name, version, archived=False)

    @router.put("/{name}/aliases/{alias}", response_model=Version, operation_id=f"move_alias_of_{kind}")
    async def move_alias(name: str, alias: str, body: AliasTarget, parts: Wired, caller: Contributor) -> Any:
        return await assets.move_alias(parts.pool, caller.cause, kind, name, alias, body.version)

    @router.delete("/{name}/aliases/{alias}", status_code=204, operation_id=f"remove_alias_of_{kind}")
    async def remove_alias(name: str, alias: str, parts: Wired, caller: Contributor) -> None:
        await assets.remove_alias(parts.pool, caller.cause, kind, name, alias)

    return router
