"""What versions are verified with."""

from __future__ import annotations

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class IntegrityFailure(Request):
    """What a client has refused."""

    detail: str = Field(min_length=1, max_length=2000, description="which file, and what is wrong with it")


class SigningKey(BaseModel):
    """The registry's public key."""

    public_key: str = Field(description="PEM")
    fingerprint: str = Field(description="sha256 of the PEM text, as manifests name their key")
