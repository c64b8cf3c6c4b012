"""Versions of models, data, environments and components."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from modelyard_contracts.registry import AssetKind
from registry.schemas.base import Request

Digest = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class RegisterRequest(Request):
    """A new version: the resolved CLI v2 specification, and where it comes from."""

    spec: dict[str, Any]
    job: str | None = Field(default=None, description="the job that made it")
    environment: str | None = Digest
    sample: str | None = Digest


class MetadataChange(Request):
    """What may change about a version; what is left out stays."""

    description: str | None = Field(default=None, max_length=10_000)
    tags: dict[str, str] | None = None
    properties: dict[str, str] | None = None
    stage: str | None = Field(default=None, max_length=64)


class AliasTarget(Request):
    """The version (or `@label`) that an alias is to name."""

    version: str


class Version(BaseModel):
    """One version of an asset."""

    kind: AssetKind
    name: str
    version: str
    type: str | None
    description: str
    tags: dict[str, str]
    properties: dict[str, str]
    stage: str | None
    tree: str | None
    size: int
    spec: dict[str, Any]
    job: str | None
    environment: str | None
    sample: str | None
    archived: bool
    conversion: dict[str, Any] | None
    profile: dict[str, Any] | None
    aliases: list[str]
    created_by: str
    created_at: datetime


class VersionPage(BaseModel):
    items: list[Version]
    next: str | None


class FilePage(BaseModel):
    """A version's files."""

    digest: str
    size: int
    files: list[dict[str, Any]]
