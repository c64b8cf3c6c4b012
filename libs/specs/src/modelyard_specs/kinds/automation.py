"""Modelyard's own kinds: jobs started by events, and subscriptions to events."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from modelyard_specs.kinds.base import Flag, OneOrMore, Resource, Spec, Text
from modelyard_specs.kinds.ports import JobInput
from modelyard_specs.kinds.schedules import CreateJob

EventType = Annotated[str, Field(pattern=r"^[a-z][a-z_]*\.[a-z][a-z_]*$")]
"""``entity.verb``: ``drift.detected``."""

EventPattern = Annotated[str, Field(pattern=r"^(\*|[a-z][a-z_]*\.(\*|[a-z][a-z_]*))$")]
"""``entity.verb``, ``entity.*`` or ``*``."""

Name = Annotated[Text, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class EventFilter(Spec):
    """``subject`` is a glob; ``data`` maps dotted paths into the event's data to the values they must have."""

    subject: str | None = None
    data: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class EventCondition(Spec):
    """Which events."""

    type: EventType
    filter: EventFilter = Field(default_factory=EventFilter)


class Trigger(Resource):
    """Submit a job when an event matches. ``cooldown`` in seconds: how long after one submission no other is made.
    ``inputs`` go over the job's own and may use ``${{event.subject}}`` and ``${{event.data.x}}``."""

    type: Literal["trigger"]
    name: Name
    on: EventCondition
    create_job: CreateJob
    inputs: dict[str, JobInput] = Field(default_factory=dict)
    cooldown: Annotated[int, Field(ge=0)] = 0
    enabled: Flag = True


class Subscription(Resource):
    """Tell someone outside. ``secret`` signs webhooks or is an OpenLineage receiver's key; ``subjects`` are globs, none means all."""

    type: Literal["webhook", "chat", "openlineage"]
    name: Name
    url: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://\S+$", repr=False)]
    secret: Annotated[str | None, Field(min_length=1, repr=False)] = None
    events: Annotated[list[EventPattern], OneOrMore, Field(min_length=1)]
    subjects: Annotated[list[str], OneOrMore] = Field(default_factory=list)
    format: Literal["cloudevents", "eventgrid"] = "cloudevents"
    enabled: Flag = True

    @model_validator(mode="after")
    def _fits(self) -> "Subscription":
        if self.type != "chat" and not self.url.startswith(("http://", "https://")):
            raise ValueError("the `url` of a webhook or an OpenLineage receiver starts with http:// or https://")
        if self.type != "webhook" and "format" in self.model_fields_set:
            raise ValueError("`format` belongs to webhooks; a chat gets text, an OpenLineage receiver run events")
        return self
