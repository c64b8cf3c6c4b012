"""What the registry reads from its environment."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_REGISTRY_`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_REGISTRY_")

    owner_token_sha256: str | None = None
    """Hash of the first owner's token, so that a new installation can be entered."""
    max_blob_bytes: int = 64 << 30
