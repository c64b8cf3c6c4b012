"""Facts: events as the log keeps them, and what each rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from modelyard_contracts import Event, short_type
from registry.errors import InvalidError


@dataclass(frozen=True, slots=True)
class Fact:
    """An event as the log keeps it."""

    event_id: UUID
    type: str
    subject: str
    sequence: int
    time: datetime
    actor: str
    reason: str | None
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]


def fact_of(event: Event[Any]) -> Fact:
    """The part of an event that the log keeps."""
    return Fact(
        event_id=event.id,
        type=short_type(event.type),
        subject=event.subject,
        sequence=event.sequence,
        time=event.time,
        actor=event.actor,
        reason=event.reason,
        correlation_id=event.correlationid,
        causation_id=event.causationid,
        data=event.data.model_dump(mode="json"),
    )


@dataclass(frozen=True, slots=True)
class Link:
    """Something a fact rests on: the newest event of this type about this subject that is not younger than the fact."""

    type: str
    subject: str


def links_of(fact: Fact) -> list[Link]:
    """What a fact rests on besides the event that caused it: the deployment behind traffic, its model, the model's job."""
    data = fact.data
    match fact.type:
        case "endpoint.traffic_changed":
            return [
                Link("deployment.ready", f"{fact.subject}/deployments/{name}")
                for name, share in data["traffic"].items()
                if share
            ]
        case "deployment.ready":
            return [Link("deployment.requested", fact.subject)]
        case "deployment.requested" if data.get("model"):
            model = version_subject("models", data["model"])
            return [Link(kind, model) for kind in ("promotion.approved", "model.converted", "model.registered")]
        case "promotion.approved" | "model.converted":
            return [Link("model.registered", fact.subject)]
        case "model.registered" if data.get("job"):
            return [Link("job.completed", f"jobs/{data['job']}"), Link("job.submitted", f"jobs/{data['job']}")]
        case "job.completed" | "job.failed":
            return [Link("job.submitted", fact.subject)]
        case "job.submitted":
            automatic = [Link("trigger.updated", f"triggers/{data['trigger']}")] if data.get("trigger") else []
            named = [(_REGISTERED.get(used.partition("/")[0]), used) for used in data.get("uses", ())]
            return [*automatic, *(Link(type_, used) for type_, used in named if type_)]
        case "drift.detected":
            return [Link("monitor.updated", f"monitors/{data['monitor']}"), Link("deployment.ready", fact.subject)]
        case "monitor.updated":
            return [Link("data.registered", version_subject("data", name)) for name in data.get("references", ())]
        case _:
            return []


_REGISTERED: Final = {
    "models": "model.registered",
    "data": "data.registered",
    "environments": "environment.registered",
    "components": "component.registered",
}


def version_subject(collection: str, reference: str) -> str:
    """`name:version` as the subject of its events; `registry/name:version` is that of a shared registry."""
    path, _, version = reference.rpartition(":")
    registry, _, name = path.rpartition("/")
    return f"{f'registries/{registry}/' if registry else ''}{collection}/{name}/versions/{version}"


STARTS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "endpoint": ("endpoints", ("endpoint.traffic_changed", "endpoint.created")),
    "deployment": ("endpoints", ("deployment.ready", "deployment.requested")),
    "model": ("models", ("model.alias_moved", "promotion.approved", "model.registered")),
    "data": ("data", ("data.registered",)),
    "environment": ("environments", ("environment.registered",)),
    "component": ("components", ("component.registered",)),
    "job": ("jobs", ("job.completed", "job.failed", "job.submitted")),
    "monitor": ("monitors", ("monitor.updated",)),
    "trigger": ("triggers", ("trigger.updated",)),
}
"""Where the answer to "why" begins: the newest event of the first of these types that the subject has."""


def start_subject(entity: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Subject and event types to begin with. `name` is `name:version` of versions, `endpoint/name` of deployments. Raises InvalidError."""
    if entity not in STARTS:
        raise InvalidError(f"cannot explain {entity!r}; ask about {', '.join(STARTS)}", path="entity")
    collection, types = STARTS[entity]
    if collection in _REGISTERED:
        if ":" not in name:
            raise InvalidError(f"say which version: {entity}/{name}:VERSION", path="name")
        return version_subject(collection, name), types
    if entity == "deployment":
        endpoint, slash, deployment = name.partition("/")
        if not slash:
            raise InvalidError(f"say of which endpoint: deployment/ENDPOINT/{name}", path="name")
        return f"endpoints/{endpoint}/deployments/{deployment}", types
    return f"{collection}/{name}", types
