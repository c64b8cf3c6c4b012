"""Who makes a change, why, and because of what: carried from the request through every event that follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import uuid4

from modelyard_contracts import Event

Role = Literal["reader", "contributor", "deployer", "owner", "service"]
ROLES: tuple[Role, ...] = ("reader", "contributor", "deployer", "owner", "service")
"""In rising order: each may do what those before it may."""

CORRELATION_HEADER = "Modelyard-Correlation-Id"
CAUSATION_HEADER = "Modelyard-Causation-Id"
REASON_HEADER = "Modelyard-Reason"


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """A caller as the gateway or a service has vouched for it."""

    actor: str
    role: Role
    workspace: str = "default"

    def may(self, role: Role) -> bool:
        """Whether this caller's role includes `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cause:
    """What goes into every event a change makes."""

    actor: str
    workspace: str = "default"
    reason: str | None = None
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None

    def headers(self) -> dict[str, str]:
        """As HTTP headers, for the next service."""
        pairs = {
            CORRELATION_HEADER: self.correlation_id,
            CAUSATION_HEADER: self.causation_id,
            REASON_HEADER: self.reason,
            "traceparent": self.traceparent,
        }
        return {name: value for name, value in pairs.items() if value is not None}

    def because_of(self, event_id: str) -> Cause:
        """The same cause, one event further down the chain."""
        return replace(self, causation_id=event_id)


def cause_of_request(identity: Identity, headers: Mapping[str, str], traceparent: str | None) -> Cause:
    """The cause of a change asked for by HTTP. A missing correlation id starts a new story."""
    return Cause(
        actor=identity.actor,
        workspace=identity.workspace,
        reason=_utf8(headers.get(REASON_HEADER)),
        correlation_id=headers.get(CORRELATION_HEADER) or uuid4().hex,
        causation_id=headers.get(CAUSATION_HEADER),
        traceparent=traceparent,
    )


def _utf8(value: str | None) -> str | None:
    """Header bytes reach us read as Latin-1; a reason is sent as UTF-8."""
    try:
        return value.encode("latin-1").decode() if value is not None else None
    except UnicodeError:
        return value


def cause_of_event(service: str, event: Event[Any]) -> Cause:
    """The cause of a change that follows from an event, made by `service`."""
    return Cause(
        actor=f"service:{service}",
        workspace=event.workspace,
        correlation_id=event.correlationid,
        causation_id=str(event.id),
        traceparent=event.traceparent,
    )
