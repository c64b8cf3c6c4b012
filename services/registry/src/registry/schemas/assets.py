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


class NameChange(Request):
    """What may change about a name; what is left out stays. `tags` takes the place of all; single ones are set and removed."""

    description: str | None = Field(default=None, max_length=10_000)
    tags: dict[str, str] | None = None
    set_tags: dict[str, str] = {}
    remove_tags: list[str] = Field(default=[], max_length=1000)


class MetadataChange(NameChange):
    """What may change about a version; what is left out stays. Properties are added, never changed. An empty stage is none."""

    properties: dict[str, str] = {}
    stage: str | None = Field(default=None, max_length=64)


class NewName(Request):
    """A name without versions yet."""

    description: str = Field(default="", max_length=10_000)
    tags: dict[str, str] = {}


class Asset(BaseModel):
    """What is known of a name apart from its versions. `latest` is its newest version that is not archived."""

    kind: AssetKind
    name: str
    description: str
    tags: dict[str, str]
    latest: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class AssetPage(BaseModel):
    items: list[Asset]
    next: str | None


class ArchivedVersions(BaseModel):
    """The versions that were archived, or brought back, by this."""

    versions: list[str]


class Sharing(Request):
    """Where a version is to be shared, and what it is called there: the same, if nothing else is said."""

    registry: str
    name: str | None = None
    version: str | None = None


class Deployment(BaseModel):
    """A deployment that stands on a version. Status is `requested`, `ready`, `degraded` or `failed`."""

    endpoint: str
    deployment: str
    status: str


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
    external: dict[str, Any] | None = Field(
        description="data that stays outside: `url`, and its `sha256` or `etag`, `size`, `recorded_at`"
    )
    inspection: dict[str, Any] | None = Field(description="a model's `flavours`, `signature` and `warnings`")
    manifest: str | None = Field(description="digest of the signed manifest of its files")
    aliases: list[str]
    created_by: str
    created_at: datetime
    experiment: str | None = None
    deployments: list[Deployment] = []


class VersionPage(BaseModel):
    items: list[Version]
    next: str | None


class FilePage(BaseModel):
    """A version's files."""

    digest: str
    size: int
    files: list[dict[str, Any]]
