"""The event envelope: CloudEvents 1.0, structured JSON.

Source: CloudEvents specification 1.0.2, with the extension attributes workspace, actor, reason, correlationid,
causationid, sequence and traceparent.
An event's data is a frozen class of its own; its `TYPE` names entity and verb, its `subject` the resource.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SPEC_VERSION = "1.0"


class EventData(BaseModel):
    """What one kind of event says. Within v1 only optional fields are added, so unknown ones are passed over when reading."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    """Entity and verb, such as `model.registered`."""

    @property
    @abstractmethod
    def subject(self) -> str:
        """The resource the event is about, such as `models/flight-delay/versions/3`. Its events are numbered by `sequence`."""


D = TypeVar("D", bound=EventData)


class Event(BaseModel, Generic[D]):
    """One fact: the data and who, when, because of what."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: str = Field(description="the service that owns the fact, as `/modelyard/registry`")
    type: str = Field(description="`modelyard.<entity>.<verb>.v1`")
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    workspace: str
    actor: str = Field(description="who made the change: `user:owner`, `job:brave_otter_1`, `service:drift-monitor`")
    reason: str | None = None
    correlationid: str = Field(description="the same for everything that follows from one request")
    causationid: str | None = Field(default=None, description="the id of the event this one follows from")
    sequence: int = Field(ge=1, description="counts the events of this subject")
    traceparent: str | None = Field(default=None, description="W3C trace context of the change")
    data: D


def full_type(name: str) -> str:
    """`model.registered` → `modelyard.model.registered.v1`, the CloudEvents type."""
    return f"modelyard.{name}.v1"


def short_type(cloud_type: str) -> str:
    """`modelyard.model.registered.v1` → `model.registered`."""
    return cloud_type.removeprefix("modelyard.").rsplit(".", 1)[0]


def nats_subject(workspace: str, name: str) -> str:
    """Where an event is published: `modelyard.<workspace>.<entity>.<verb>`."""
    return f"modelyard.{workspace}.{name}"


def encode(event: Event[Any]) -> bytes:
    """The structured JSON form that travels."""
    return event.model_dump_json(exclude_none=True).encode()


__all__ = ["SPEC_VERSION", "Event", "EventData", "encode", "full_type", "nats_subject", "short_type"]
