"""Events of serving: endpoints, deployments, traffic."""

from __future__ import annotations

from typing import ClassVar

from modelyard_contracts.envelope import EventData


class EndpointEvent(EventData):
    endpoint: str

    @property
    def subject(self) -> str:
        return f"endpoints/{self.endpoint}"


class EndpointCreated(EndpointEvent):
    TYPE: ClassVar[str] = "endpoint.created"


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
    TYPE: ClassVar[str] = "deployment.requested"


class DeploymentReady(DeploymentEvent):
    """Its replicas have loaded the model and answered a smoke request: it may get traffic."""

    TYPE: ClassVar[str] = "deployment.ready"

    seconds: float = 0.0


class DeploymentFailed(DeploymentEvent):
    """`detail` holds the reason, for a score script its traceback."""

    TYPE: ClassVar[str] = "deployment.failed"

    detail: str


class DeploymentDegraded(DeploymentEvent):
    """It was ready and now has fewer healthy replicas than asked for."""

    TYPE: ClassVar[str] = "deployment.degraded"

    detail: str


class DeploymentDeleted(DeploymentEvent):
    TYPE: ClassVar[str] = "deployment.deleted"


EVENTS: tuple[type[EventData], ...] = (
    EndpointCreated,
    EndpointDeleted,
    EndpointTrafficChanged,
    DeploymentRequested,
    DeploymentReady,
    DeploymentFailed,
    DeploymentDegraded,
    DeploymentDeleted,
)
