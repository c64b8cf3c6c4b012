"""What the scheduler reads from its environment."""

from __future__ import annotations

from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_SCHEDULER_`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_SCHEDULER_")

    order_check_s: float = 5.0
    """How often the orders under way are compared with what the WORK stream holds, in seconds."""
