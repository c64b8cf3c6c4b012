"""What every service reads from its environment. A service's own class adds its prefix and fields; `__main__` reads it once."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Where the object store is."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    s3_url: str = "http://127.0.0.1:9000"
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")
    s3_bucket: str = "modelyard"


class NodeSettings(StoreSettings):
    """What runs on Ray nodes reads; set on the node's own process and never handed to users' processes."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_NODE_")

    nats_url: str = "nats://127.0.0.1:4222"
    data_dir: Path = Path(".modelyard/node")
    identity_key: SecretStr = SecretStr("")
    scheduler_url: str = ""
    public_url: str = ""
    listen_host: str = "127.0.0.1"


class ServiceSettings(StoreSettings):
    """What services share. URLs of other services are empty where a service does not speak to them."""

    host: str = "127.0.0.1"
    port: int = 8000
    postgres_dsn: SecretStr = SecretStr("")
    nats_url: str = "nats://127.0.0.1:4222"
    identity_key: SecretStr
    registry_url: str = ""
    builder_url: str = ""
    scheduler_url: str = ""
    serving_url: str = ""
    drift_monitor_url: str = ""
    notifier_url: str = ""
    public_url: str = ""
    data_dir: Path = Path(".modelyard")
    otlp_endpoint: str | None = None
    log_level: str = "INFO"
