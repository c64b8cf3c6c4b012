"""What the drift monitor reads from its environment."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_DRIFT_MONITOR_`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_DRIFT_MONITOR_")

    profile_wait_s: float = 30.0
    """How long a new monitor waits for the profile of its reference data."""
