"""What every service reads from its environment. A service's own class adds its prefix and fields; `__main__` reads it once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class StoreSettings(BaseSettings):
    """Where the object store is."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    s3_url: str = "http://127.0.0.1:9000"
    s3_access_key: str = ""
    s3_secret_key: SecretStr = SecretStr("")
    s3_bucket: str = "modelyard"
    signing_public_key: Path | None = None
    """PEM file of the key that asset versions are signed with. With it, what is loaded is verified; without it, nothing is."""


class ExternalSettings(BaseSettings):
    """Nothing on this machine or in a private network is read unless it is named here; public web addresses are.

    `external_hosts`: hosts (`host` or `host:port`, comma-separated) that may have private addresses. `external_folders`: folders
    (separated by `:`) below which `file://` may read. `external_s3_…`: the one S3 server that `s3://bucket/key` means, and the
    credentials for it; without a URL, none is read.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    external_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    external_folders: Annotated[tuple[Path, ...], NoDecode] = ()
    external_s3_url: str = ""
    external_s3_access_key: str = ""
    external_s3_secret_key: SecretStr = SecretStr("")
    external_s3_region: str | None = None
    external_max_bytes: int = 64 << 30
    """What is downloaded for a step at most."""
    external_digest_bytes: int = 4 << 30
    """What is read at most to take its digest, where there is no ETag."""
    external_check_s: float = 60.0
    """How long looking at it may take."""
    external_download_s: float = 3600.0

    @field_validator("external_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        return (
            tuple(host.strip().lower() for host in value.split(",") if host.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("external_folders", mode="before")
    @classmethod
    def _folders(cls, value: Any) -> Any:
        return tuple(Path(folder) for folder in value.split(":") if folder) if isinstance(value, str) else value


class NodeSettings(StoreSettings, ExternalSettings):
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
