"""What versions are verified with."""

from __future__ import annotations

from pydantic import BaseModel, Field


class SigningKey(BaseModel):
    """The registry's public key."""

    public_key: str = Field(description="PEM")
    fingerprint: str = Field(description="sha256 of the PEM text, as manifests name their key")
