"""What the gateway reads from its environment."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_GATEWAY_`. It has no database."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_GATEWAY_")

    token_cache_s: float = 15.0
    """A verified token is believed this long, and a revoked one works no longer than this."""
    session_hours: int = 12
    """How long a browser stays signed in."""
