"""What serving reads from its environment."""

from __future__ import annotations

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from modelyard_platform.settings import ServiceSettings


class Settings(ServiceSettings):
    """Prefix `MODELYARD_SERVING_`. Ray is reached by `RAY_ADDRESS`, as Ray itself reads it."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="MODELYARD_SERVING_")

    endpoint_key_secret: SecretStr | None = None
    """What endpoints' keys are derived from; without it, the identity key. Changing it changes every endpoint's keys."""
    build_timeout_s: float = 1800.0
    """How long a deployment waits for its model's conversion and its environment's lock."""
    start_timeout_s: float = 300.0
    """How long replicas may take from their application's start to their announcement."""
    reconcile_every_s: float = 15.0
    replica_cpus: float = 0.1
    """CPUs a replica asks Ray for when the spec does not say: little, so that idle replicas fit on a laptop."""
    request_timeout_ms: int = 5_000
    max_body_bytes: int = 4 << 20

    @property
    def key_secret(self) -> str:
        """The secret behind endpoints' keys."""
        return (self.endpoint_key_secret or self.identity_key).get_secret_value()
