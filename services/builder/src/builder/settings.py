"""What the builder reads from its environment."""

from __future__ import annotations

import sys

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_BUILDER_`. Durations are in seconds. Environments for conversions are kept under `data_dir`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_BUILDER_")

    default_python: str = Field(
        default=f"{sys.version_info.major}.{sys.version_info.minor}",
        description="for environments that do not say which; the platform's own is on every node",
    )
    lock_timeout_s: float = Field(default=240.0, gt=0)
    materialise_timeout_s: float = Field(default=900.0, gt=0)
    convert_timeout_s: float = Field(default=600.0, gt=0)
    sample_rows: int = Field(default=1000, ge=1, description="rows that a conversion is measured on, at most")
    first_delay_s: float = Field(
        default=2.0, gt=0, description="before work that failed for want of something else is tried again"
    )
