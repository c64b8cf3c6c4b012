"""Routes of workspaces and shared registries."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modelyard_platform.http import Owner, Reader
from registry.api.parts import IdempotencyKey, NamePath, Wired
from registry.schemas.scopes import (
    NewWorkspace,
    RegistryChange,
    RegistryRequest,
    Scope,
    ScopePage,
    ScopeRequest,
    SharedRegistry,
    SharedRegistryPage,
)
from registry.usecases import scopes

router = APIRouter(prefix="/api/v1")


@router.post("/workspaces", status_code=201, response_model=NewWorkspace, tags=["workspaces"])
async def create_workspace(body: ScopeRequest, parts: Wired, caller: Owner) -> Any:
    """A new workspace. Its first owner's token is shown this once."""
    return await scopes.create_workspace(parts.pool, caller.cause, body.name, body.description, body.tags)


@router.get("/workspaces", response_model=ScopePage, tags=["workspaces"])
async def list_workspaces(parts: Wired, caller: Reader) -> Any:
    """Your workspace; all of them for the first one's."""
    return {"items": await scopes.list_workspaces(parts.pool, caller.cause.workspace)}


@router.get("/workspaces/{name}", response_model=Scope, tags=["workspaces"])
async def get_workspace(name: NamePath, parts: Wired, caller: Reader) -> Any:
    return await scopes.get_workspace(parts.pool, caller.cause.workspace, name)


@router.delete("/workspaces/{name}", status_code=204, tags=["workspaces"])
async def delete_workspace(name: NamePath, parts: Wired, caller: Owner) -> None:
    """Delete a workspace in which nothing is registered, deployed, running or set up."""
    await scopes.delete_workspace(parts.pool, caller.cause, name)


@router.post("/registries", status_code=201, response_model=SharedRegistry, tags=["registries"])
async def create_registry(body: RegistryRequest, parts: Wired, caller: Owner, key: IdempotencyKey = None) -> Any:
    """A new shared registry."""
    return await scopes.create_registry(
        parts.pool, caller.cause, body.name, body.description, body.tags, body.writers, key
    )


@router.get("/registries", response_model=SharedRegistryPage, tags=["registries"])
async def list_registries(parts: Wired, caller: Reader) -> Any:
    return {"items": await scopes.list_registries(parts.pool, caller.cause.workspace)}


@router.get("/registries/{name}", response_model=SharedRegistry, tags=["registries"])
async def get_registry(name: NamePath, parts: Wired, caller: Reader) -> Any:
    return await scopes.get_registry(parts.pool, caller.cause.workspace, name)


@router.patch("/registries/{name}", response_model=SharedRegistry, tags=["registries"])
async def update_registry(name: NamePath, body: RegistryChange, parts: Wired, caller: Owner) -> Any:
    """Change what a shared registry is for, or which workspaces may share into it."""
    return await scopes.update_registry(
        parts.pool, caller.cause, name, body.description, body.add_writers, body.remove_writers
    )


@router.delete("/registries/{name}", status_code=204, tags=["registries"])
async def delete_registry(name: NamePath, parts: Wired, caller: Owner) -> None:
    """Delete a shared registry in which nothing is shared."""
    await scopes.delete_registry(parts.pool, caller.cause, name)
