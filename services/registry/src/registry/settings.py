"""What the registry reads from its environment."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ExternalSettings, ServiceSettings


class Settings(ServiceSettings, ExternalSettings):
    """Prefix `MODELYARD_REGISTRY_`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_REGISTRY_")

    owner_token_sha256: str | None = None
    """Hash of the first owner's token, so that a new installation can be entered."""
    signing_key: Path | None = None
    """PEM file of the elliptic curve key that versions' manifests are signed with; without it, nothing is signed."""
    s3_public_url: str = ""
    """Where clients reach the S3 server; blobs then go there and come from there directly. Empty: they pass through the gateway."""
