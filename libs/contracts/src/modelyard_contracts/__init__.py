"""Every event that Modelyard's parts exchange, declared once.

`contracts/` holds the JSON Schemas, samples and the AsyncAPI document that are generated from these classes.
"""

from __future__ import annotations

from typing import Any

from modelyard_contracts import builder, drift_monitor, notifier, registry, scheduler, serving, workspaces
from modelyard_contracts.envelope import Event, EventData, encode, full_type, nats_subject, short_type

OWNERS: dict[str, tuple[type[EventData], ...]] = {
    "registry": registry.EVENTS + workspaces.EVENTS,
    "builder": builder.EVENTS,
    "scheduler": scheduler.EVENTS,
    "serving": serving.EVENTS,
    "drift-monitor": drift_monitor.EVENTS,
    "notifier": notifier.EVENTS,
}
"""The service that owns, and alone publishes, each event."""

EVENT_TYPES: dict[str, type[EventData]] = {event.TYPE: event for events in OWNERS.values() for event in events}
"""Event classes by entity and verb, as `model.registered`."""


class UnknownEventTypeError(ValueError):
    """An event whose type no class of this version declares. `type` is what it said."""

    def __init__(self, type_: str) -> None:
        super().__init__(f"no event type {type_!r} is declared")
        self.type = type_


def decode(raw: bytes | str) -> Event[Any]:
    """Read an event of any declared type. Raises UnknownEventTypeError, or pydantic's ValidationError when it does not fit its class."""
    envelope = Event[Any].model_validate_json(raw)
    data_class = EVENT_TYPES.get(short_type(envelope.type))
    if data_class is None:
        raise UnknownEventTypeError(envelope.type)
    return envelope.model_copy(update={"data": data_class.model_validate(envelope.data)})


__all__ = [
    "EVENT_TYPES",
    "OWNERS",
    "Event",
    "EventData",
    "UnknownEventTypeError",
    "decode",
    "encode",
    "full_type",
    "nats_subject",
    "short_type",
]
