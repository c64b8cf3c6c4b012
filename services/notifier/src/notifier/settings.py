"""What the notifier reads from its environment."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_NOTIFIER_`. Durations are in seconds."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_NOTIFIER_")

    max_attempts: int = Field(default=8, ge=1, description="then a delivery becomes a dead letter")
    first_delay_s: float = Field(
        default=5.0, gt=0, description="before the second attempt; each further one waits four times as long"
    )
    longest_delay_s: float = Field(default=3600.0, gt=0)
    timeout_s: float = Field(default=10.0, gt=0, description="for one attempt, from connecting to the whole answer")
    in_flight: int = Field(default=64, ge=1, description="attempts at a time, of this process")
    in_flight_per_subscription: int = Field(default=4, ge=1, description="attempts at a time to one receiver")
