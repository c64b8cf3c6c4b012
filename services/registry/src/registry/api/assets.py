"""Routes of models, data, environments and components: the same for each kind, in a workspace and in a shared registry."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from modelyard_contracts.registry import AssetKind
from modelyard_platform.cause import Cause
from modelyard_platform.http import Contributor, Deployer, Reader
from registry.api.parts import (
    IdempotencyKey,
    LabelPath,
    Limit,
    NamePath,
    SearchText,
    VersionPath,
    Wired,
    answer,
    registry_read,
    registry_write,
    workspace_read,
    workspace_write,
)
from registry.domain.assets import KINDS
from registry.domain.metadata import MetadataChange as Change
from registry.schemas.assets import (
    AliasTarget,
    ArchivedVersions,
    Asset,
    AssetPage,
    FilePage,
    MetadataChange,
    NameChange,
    NewName,
    RegisterRequest,
    Sharing,
    Version,
    VersionPage,
)
from registry.schemas.integrity import IntegrityFailure
from registry.usecases import assets, manifests, names, sharing
from registry.usecases.searching import NameSort, Sort, search_names, search_versions
from registry.usecases.specs import read_spec

SHARED: Final = "/api/v1/registries/{registry}"


def routers() -> list[APIRouter]:
    """The list of names, then routers for each kind of asset: registering and sharing, reading and changing, and the same in registries."""
    found = [_names("/api/v1", "assets", workspace_read), _names(SHARED, "shared_assets", registry_read)]
    for kind in KINDS:
        found += [
            _making(kind),
            _keeping(kind, f"/api/v1/{kind}", kind, workspace_read, workspace_write),
            _keeping(kind, f"{SHARED}/{kind}", f"shared_{kind}", registry_read, registry_write),
        ]
    return found


def _names(prefix: str, called: str, read: Callable[..., Any]) -> APIRouter:
    router = APIRouter(prefix=prefix, tags=["assets"])

    @router.get("/assets", response_model=AssetPage, operation_id=f"list_{called}")
    async def list_names(
        parts: Wired,
        scope: Annotated[str, Depends(read)],
        kind: AssetKind,
        search: SearchText = "",
        sort: NameSort = "name",
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Any:
        """Names of a kind, with or without versions, by what is known of the names themselves."""
        items, following = await search_names(parts.pool, scope, kind, search, sort=sort, cursor=cursor, limit=limit)
        return {"items": items, "next": following}

    return router


def _making(kind: AssetKind) -> APIRouter:
    router = APIRouter(prefix=f"/api/v1/{kind}", tags=[kind])

    @router.post("", status_code=201, response_model=Version, operation_id=f"register_{kind}")
    async def register(body: RegisterRequest, parts: Wired, caller: Contributor, key: IdempotencyKey = None) -> Any:
        """Register a version. Without a version in the specification it gets the name's next number; without a name it is anonymous."""
        new, path = read_spec(kind, body.spec, job=body.job, environment=body.environment, sample=body.sample)
        made = await assets.register_version(
            parts.pool, parts.store, parts.scheduler, caller.cause, new, path, key, parts.signer, parts.outside
        )
        return answer(made, status=201)

    @router.post("/{name}", status_code=201, response_model=Asset, operation_id=f"create_name_of_{kind}")
    async def create_name(
        name: NamePath, body: NewName, parts: Wired, caller: Contributor, key: IdempotencyKey = None
    ) -> Any:
        """A name without versions yet."""
        return await names.create_name(parts.pool, caller.cause, kind, name, body.description, body.tags, key)

    @router.post(
        "/{name}/versions/{version}/share", status_code=201, response_model=Version, operation_id=f"share_{kind}"
    )
    async def share(
        name: NamePath,
        version: VersionPath,
        body: Sharing,
        parts: Wired,
        caller: Deployer,
        key: IdempotencyKey = None,
    ) -> Any:
        """Copy a version to a shared registry, from where every workspace may use it. Its files are not copied: they are the same."""
        target = sharing.Target(body.registry, body.name or name, body.version)
        return await sharing.share_version(parts.files, parts.signer, caller.cause, kind, name, version, target, key)

    return router


def _keeping(
    kind: AssetKind, prefix: str, called: str, read: Callable[..., Any], write: Callable[..., Any]
) -> APIRouter:
    router = APIRouter(prefix=prefix, tags=[kind])

    @router.get("", response_model=VersionPage, operation_id=f"list_{called}")
    async def list_newest(
        parts: Wired,
        scope: Annotated[str, Depends(read)],
        search: SearchText = "",
        versions: Annotated[
            str, Query(pattern="^(newest|all)$", description="the newest of each name that fits, or `all` that fit")
        ] = "newest",
        sort: Sort = "name",
        *,
        archived: Annotated[bool, Query(description="archived ones too")] = False,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Any:
        """Versions that fit a search."""
        items, following = await search_versions(
            parts.pool,
            scope,
            kind,
            search,
            every=versions == "all",
            archived=archived,
            sort=sort,
            cursor=cursor,
            limit=limit,
        )
        return answer({"items": items, "next": following})

    @router.get("/{name}", response_model=Asset, operation_id=f"get_name_of_{called}")
    async def get_name(name: NamePath, parts: Wired, scope: Annotated[str, Depends(read)]) -> Any:
        """What is known of a name apart from its versions."""
        return await names.get_name(parts.pool, scope, kind, name)

    @router.patch("/{name}", response_model=Asset, operation_id=f"update_name_of_{called}")
    async def update_name(
        name: NamePath, body: NameChange, parts: Wired, cause: Annotated[Cause, Depends(write)]
    ) -> Any:
        """Change the description and tags of a name."""
        return await names.update_name(parts.pool, cause, kind, name, Change(**body.model_dump()))

    @router.delete("/{name}", status_code=204, operation_id=f"delete_name_of_{called}")
    async def delete_name(name: NamePath, parts: Wired, cause: Annotated[Cause, Depends(write)]) -> None:
        """Delete a name with all of its versions; refused while something stands on one of them."""
        await names.delete_name(parts.pool, cause, kind, name)

    @router.post("/{name}/archive", response_model=ArchivedVersions, operation_id=f"archive_name_of_{called}")
    async def archive_name(name: NamePath, parts: Wired, cause: Annotated[Cause, Depends(write)]) -> Any:
        """Archive all versions of a name."""
        return await names.set_all_archived(parts.pool, cause, kind, name, archived=True)

    @router.post("/{name}/restore", response_model=ArchivedVersions, operation_id=f"restore_name_of_{called}")
    async def restore_name(name: NamePath, parts: Wired, cause: Annotated[Cause, Depends(write)]) -> Any:
        """Bring all versions of a name back."""
        return await names.set_all_archived(parts.pool, cause, kind, name, archived=False)

    @router.get("/{name}/versions", response_model=VersionPage, operation_id=f"list_versions_of_{called}")
    async def list_versions(
        name: NamePath,
        parts: Wired,
        scope: Annotated[str, Depends(read)],
        search: SearchText = "",
        sort: Sort = "-created_at",
        *,
        archived: Annotated[bool, Query(description="archived ones too")] = False,
        cursor: str | None = None,
        limit: Limit = 100,
    ) -> Any:
        """A name's versions, newest first if nothing else is asked for."""
        items, following = await search_versions(
            parts.pool,
            scope,
            kind,
            search,
            name=name,
            every=True,
            archived=archived,
            sort=sort,
            cursor=cursor,
            limit=limit,
        )
        return answer({"items": items, "next": following})

    @router.get("/{name}/versions/{version}", response_model=Version, operation_id=f"get_{called}")
    async def get(name: NamePath, version: VersionPath, parts: Wired, scope: Annotated[str, Depends(read)]) -> Any:
        return await assets.get_version(parts.pool, scope, kind, name, version)

    @router.get("/{name}/labels/{label}", response_model=Version, operation_id=f"get_labelled_{called}")
    async def get_labelled(name: NamePath, label: LabelPath, parts: Wired, scope: Annotated[str, Depends(read)]) -> Any:
        """The version an alias names; `latest` is the newest that is not archived."""
        return await assets.get_version(parts.pool, scope, kind, name, f"@{label}")

    @router.get("/{name}/versions/{version}/tree", response_model=FilePage, operation_id=f"get_tree_of_{called}")
    async def get_tree(
        name: NamePath, version: VersionPath, parts: Wired, scope: Annotated[str, Depends(read)], caller: Reader
    ) -> Any:
        """A version's files; each is a blob."""
        there = replace(caller.cause, workspace=scope)
        tree = await assets.read_tree(parts.files, there, kind, name, version)
        return {"digest": tree.digest, "size": tree.size, "files": [file.model_dump() for file in tree.files]}

    @router.post(
        "/{name}/versions/{version}/integrity-failures", status_code=204, operation_id=f"report_refused_{called}"
    )
    async def report_refused(
        name: NamePath,
        version: VersionPath,
        body: IntegrityFailure,
        parts: Wired,
        scope: Annotated[str, Depends(read)],
        caller: Reader,
    ) -> None:
        """Say that a download was refused, since it is not what was signed. Becomes an event; the same is said once in ten minutes."""
        await manifests.report_refusal(parts.pool, caller.cause, scope, kind, name, version, body.detail)

    @router.patch("/{name}/versions/{version}", response_model=Version, operation_id=f"update_{called}")
    async def update(
        name: NamePath,
        version: VersionPath,
        body: MetadataChange,
        parts: Wired,
        cause: Annotated[Cause, Depends(write)],
    ) -> Any:
        """Change metadata. Content never changes."""
        return await assets.update_metadata(parts.pool, cause, kind, name, version, Change(**body.model_dump()))

    @router.delete("/{name}/versions/{version}", status_code=204, operation_id=f"delete_{called}")
    async def delete(
        name: NamePath, version: VersionPath, parts: Wired, cause: Annotated[Cause, Depends(write)]
    ) -> None:
        """Delete for good; refused while something stands on it."""
        await assets.delete_version(parts.pool, cause, kind, name, version)

    @router.post("/{name}/versions/{version}/archive", response_model=Version, operation_id=f"archive_{called}")
    async def archive(
        name: NamePath, version: VersionPath, parts: Wired, cause: Annotated[Cause, Depends(write)]
    ) -> Any:
        return await assets.set_archived(parts.pool, cause, kind, name, version, archived=True)

    @router.post("/{name}/versions/{version}/restore", response_model=Version, operation_id=f"restore_{called}")
    async def restore(
        name: NamePath, version: VersionPath, parts: Wired, cause: Annotated[Cause, Depends(write)]
    ) -> Any:
        return await assets.set_archived(parts.pool, cause, kind, name, version, archived=False)

    @router.put("/{name}/aliases/{alias}", response_model=Version, operation_id=f"move_alias_of_{called}")
    async def move_alias(
        name: NamePath,
        alias: LabelPath,
        body: AliasTarget,
        parts: Wired,
        cause: Annotated[Cause, Depends(write)],
    ) -> Any:
        return await assets.move_alias(parts.pool, cause, kind, name, alias, body.version)

    @router.delete("/{name}/aliases/{alias}", status_code=204, operation_id=f"remove_alias_of_{called}")
    async def remove_alias(
        name: NamePath, alias: LabelPath, parts: Wired, cause: Annotated[Cause, Depends(write)]
    ) -> None:
        await assets.remove_alias(parts.pool, cause, kind, name, alias)

    return router
