"""Compute, datastores and connections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from modelyard_contracts.workspaces import ResourceKind
from registry.schemas.base import Request


class ResourceRequest(Request):
    """A resource's specification."""

    spec: dict[str, Any]


class Resource(BaseModel):
    """A compute, a datastore or a connection. What gives access is not kept, and so in no answer."""

    id: str
    kind: ResourceKind
    name: str
    type: str
    spec: dict[str, Any]
    provisioning_state: str = Field(description="`Succeeded`: it is there at once")
    created_by: str
    created_at: datetime
    updated_at: datetime


class PutResource(Resource):
    """A resource that was put in place. `ignored` are the keys of its specification that have no effect here."""

    ignored: list[str]


class ResourcePage(BaseModel):
    items: list[Resource]
    next: str | None
