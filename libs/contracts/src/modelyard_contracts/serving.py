"""Events of serving: endpoints, deployments, traffic."""

from __future__ import annotations

from typing import Any, ClassVar

from modelyard_contracts.envelope import EventData


class EndpointEvent(EventData):
    endpoint: str

    @property
    def subject(self) -> str:
        return f"endpoints/{self.endpoint}"


class EndpointCreated(EndpointEvent):
    TYPE: ClassVar[str] = "endpoint.created"


class EndpointUpdated(EndpointEvent):
    """Its specification changed."""

    TYPE: ClassVar[str] = "endpoint.updated"

    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class EndpointKeyRegenerated(EndpointEvent):
    """A new key took the place of one; `key` is `primary` or `secondary`."""

    TYPE: ClassVar[str] = "endpoint.key_regenerated"

    key: str


class EndpointDeleted(EndpointEvent):
    TYPE: ClassVar[str] = "endpoint.deleted"


class EndpointTrafficChanged(EndpointEvent):
    """Percent of requests by deployment, before and after."""

    TYPE: ClassVar[str] = "endpoint.traffic_changed"

    traffic: dict[str, int]
    previous: dict[str, int] = {}
    models: dict[str, str] = {}


class DeploymentEvent(EventData):
    """`model` is `name:version`; `generation` counts the specs this deployment has had."""

    endpoint: str
    deployment: str
    generation: int
    model: str | None = None

    @property
    def subject(self) -> str:
        return f"endpoints/{self.endpoint}/deployments/{self.deployment}"


class DeploymentRequested(DeploymentEvent):
    """Somebody gave it a specification: `before` is the former (None when it is new), `after` the new one, variables masked."""

    TYPE: ClassVar[str] = "deployment.requested"

    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class DeploymentReady(DeploymentEvent):
    """Its replicas have loaded the model and answered a smoke request: it may get traffic.

    What they run, by digest: `package` is the tree of the model's converted form, `code` that of the score script, `environment` the lock.
    """

    TYPE: ClassVar[str] = "deployment.ready"

    seconds: float = 0.0
    package: str | None = None
    code: str | None = None
    environment: str | None = None


class DeploymentFailed(DeploymentEvent):
    """`detail` holds the reason, for a score script its traceback. `refused` is the subject of the asset version that is not what was
    signed, if that was the reason."""

    TYPE: ClassVar[str] = "deployment.failed"

    detail: str
    refused: str | None = None


class DeploymentDegraded(DeploymentEvent):
    """It was ready and now has fewer healthy replicas than asked for.

    `refused` is what was refused by a replica that should have come up, since it is not what was signed: what a version's files
    (`default/models/x/versions/3`) or its ONNX form (`…/conversion`) are signed as."""

    TYPE: ClassVar[str] = "deployment.degraded"

    detail: str
    refused: str | None = None


class DeploymentDeleted(DeploymentEvent):
    TYPE: ClassVar[str] = "deployment.deleted"


EVENTS: tuple[type[EventData], ...] = (
    EndpointCreated,
    EndpointUpdated,
    EndpointKeyRegenerated,
    EndpointDeleted,
    EndpointTrafficChanged,
    DeploymentRequested,
    DeploymentReady,
    DeploymentFailed,
    DeploymentDegraded,
    DeploymentDeleted,
)
