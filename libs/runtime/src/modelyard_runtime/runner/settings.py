"""The runner's settings."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class RunnerSettings(ServiceSettings):
    """Prefix `MODELYARD_RUNNER_`; Ray is found by `RAY_ADDRESS`.

    `slots` bounds the orders taken at once, waiting for Ray's resources included. An order that is not heard of for
    `ack_wait_s` is given out again; `heartbeat_s` must be well below it.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_RUNNER_")

    pool: str = Field(default="default", pattern=r"^[A-Za-z0-9_-]+$")
    slots: int = Field(default=64, ge=1)
    ack_wait_s: float = Field(default=30.0, gt=0)
    heartbeat_s: float = Field(default=10.0, gt=0)
    ray_address: str = Field(default="auto", validation_alias="RAY_ADDRESS")
