"""What the registry's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelyard_contracts.registry import AssetKind

Digest = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RegisterRequest(_Request):
    """A new version: the resolved CLI v2 specification, and where it comes from."""

    spec: dict[str, Any]
    job: str | None = Field(default=None, description="the job that made it")
    environment: str | None = Digest
    sample: str | None = Digest


class MetadataChange(_Request):
    """What may change about a version; what is left out stays."""

    description: str | None = Field(default=None, max_length=10_000)
    tags: dict[str, str] | None = None
    properties: dict[str, str] | None = None
    stage: str | None = Field(default=None, max_length=64)


class AliasTarget(_Request):
    """The version (or `@label`) that an alias is to name."""

    version: str


class PromotionRequest(_Request):
    """A candidate, the criterion to judge it by, and figures of both sides measured on the same rows."""

    model: str
    candidate: str
    criterion: str = Field(max_length=1000)
    evidence: dict[str, Any]


class TokenRequest(_Request):
    name: str
    role: Literal["reader", "contributor", "deployer", "owner"]
    days: int | None = Field(default=None, ge=1, le=3650)


class TokenCheck(_Request):
    token: str = Field(max_length=4096)


class BlobQuestion(_Request):
    digests: list[str] = Field(max_length=10_000)


class Blob(BaseModel):
    sha256: str
    size: int


class MissingBlobs(BaseModel):
    missing: list[str]


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


class Promotion(BaseModel):
    id: str
    model: str
    candidate: str
    champion: str | None
    criterion: str
    evidence: dict[str, Any]
    status: Literal["approved", "rejected"]
    detail: str
    decided_by: str
    created_at: datetime


class PromotionPage(BaseModel):
    items: list[Promotion]
    next: str | None = None


class LoggedEvent(BaseModel):
    id: str
    type: str
    subject: str
    sequence: int
    time: datetime
    actor: str
    reason: str | None
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]


class EventPage(BaseModel):
    items: list[LoggedEvent]
    next: str | None


class Because(BaseModel):
    """One fact of an explanation; `because` holds the ids of the facts it rests on."""

    id: str
    type: str
    subject: str
    time: datetime
    actor: str
    reason: str | None
    data: dict[str, Any]
    because: list[str]


class Explanation(BaseModel):
    subject: str
    chain: list[Because]


class NewToken(BaseModel):
    """A token, shown this once."""

    name: str
    role: str
    token: str
    expires_at: datetime | None


class TokenInfo(BaseModel):
    name: str
    role: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None


class TokenPage(BaseModel):
    items: list[TokenInfo]
    next: str | None = None


class Principal(BaseModel):
    actor: str
    role: str
    workspace: str
