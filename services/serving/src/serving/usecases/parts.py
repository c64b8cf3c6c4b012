"""What the actions are done with, and the little that all of them share."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool
from serving.clients.builder import Builder
from serving.clients.models import Models
from serving.clients.ray_serve import RayServe
from serving.clients.replicas import Replicas
from serving.clients.routes import Routes
from serving.domain.plan import Defaults

SOURCE: Final = "serving"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the service was wired with. `key_secret` is what endpoints' keys are derived from; times are in seconds."""

    pool: Pool
    models: Models
    builder: Builder
    routes: Routes
    ray: RayServe
    replicas: Replicas
    key_secret: str
    public_url: str
    defaults: Defaults
    build_timeout_s: float
    start_timeout_s: float


def now() -> datetime:
    """The time that goes into rows."""
    return datetime.now(UTC)


def kept(cause: Cause, event_id: Any = None) -> dict[str, Any]:
    """A cause as a row keeps it, for what serving does later in its name."""
    return asdict(
        replace(cause, actor=f"service:{SOURCE}", causation_id=str(event_id) if event_id else cause.causation_id)
    )


def cause_of(row: dict[str, Any]) -> Cause:
    """The cause that a row kept."""
    return Cause(**row)
