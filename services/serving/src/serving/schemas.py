"""What goes over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelyard_specs.kinds.online import OnlineDeployment, OnlineEndpoint
from serving.domain.deployments import Deployment, Status
from serving.domain.endpoints import Endpoint
from serving.domain.plan import not_acted_upon

ProvisioningState = Literal["Creating", "Updating", "Succeeded", "Failed", "Deleting"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SpecBody(_Body):
    """A resolved CLI v2 spec as JSON."""

    spec: dict[str, Any]


class DeploymentBody(SpecBody):
    """`all_traffic`: give it all of the endpoint's traffic once it is ready."""

    all_traffic: bool = False


class TrafficBody(_Body):
    """Percent by deployment: adds up to 100, or to 0 for none."""

    traffic: dict[str, int] = Field(max_length=100)
    mirror: dict[str, int] = Field(default_factory=dict, max_length=100)


class RegenerateBody(_Body):
    keyType: Literal["primary", "secondary"]  # noqa: N815  # the original's name


class Keys(BaseModel):
    primaryKey: str  # noqa: N815
    secondaryKey: str  # noqa: N815


class EndpointAnswer(BaseModel):
    """As `az ml online-endpoint show` prints it, who made it, and its whole `spec`. `ignored`: keys of that without effect here."""

    name: str
    description: str | None
    tags: dict[str, Any]
    properties: dict[str, Any]
    auth_mode: str
    kind: Literal["Managed"]
    provisioning_state: ProvisioningState
    scoring_uri: str
    traffic: dict[str, int]
    mirror_traffic: dict[str, int]
    deployments: list[str]
    spec: dict[str, Any]
    ignored: list[str]
    created_by: str
    created_at: datetime


class DeploymentAnswer(BaseModel):
    """As `az ml online-deployment show` prints it, how it stands, and the whole `spec` that was asked for last.

    `generation` counts specs; `live_generation` is the one that answers (the last known good, while `status` is failed), with `live_model`.
    """

    name: str
    endpoint_name: str
    type: Literal["managed"]
    description: str | None
    tags: dict[str, Any]
    properties: dict[str, Any]
    model: Any
    code_configuration: Any
    environment: Any
    environment_variables: dict[str, Any]
    instance_type: str | None
    instance_count: int
    request_settings: Any
    data_collector: Any
    spec: dict[str, Any]
    provisioning_state: ProvisioningState
    status: Status
    detail: str
    generation: int
    live_generation: int | None
    live_model: str | None
    replicas: int
    traffic: int
    ignored: list[str]
    created_at: datetime
    changed_at: datetime


class EndpointPage(BaseModel):
    items: list[EndpointAnswer]
    next: str | None


class DeploymentPage(BaseModel):
    items: list[DeploymentAnswer]
    next: str | None


def endpoint_answer(endpoint: Endpoint, deployments: list[str], public_url: str) -> EndpointAnswer:
    """An endpoint in az's words."""
    spec = endpoint.spec
    auth_mode = str(spec.get("auth_mode") or "key").lower()
    ignored = not_acted_upon(spec, OnlineEndpoint) + ([] if auth_mode == "key" else ["auth_mode"])
    return EndpointAnswer(
        name=endpoint.name,
        description=spec.get("description"),
        tags=spec.get("tags") or {},
        properties=spec.get("properties") or {},
        auth_mode=auth_mode,
        kind="Managed",
        provisioning_state="Deleting" if endpoint.deleting else "Succeeded",
        scoring_uri=f"{public_url.rstrip('/')}/endpoints/{endpoint.name}/score",
        traffic=endpoint.traffic,
        mirror_traffic={},
        deployments=deployments,
        spec=spec,
        ignored=ignored,
        created_by=endpoint.created_by,
        created_at=endpoint.created_at,
    )


def deployment_answer(deployment: Deployment, traffic: int) -> DeploymentAnswer:
    """A deployment in az's words."""
    spec = deployment.target.spec
    return DeploymentAnswer(
        name=deployment.name,
        endpoint_name=deployment.endpoint,
        type="managed",
        description=spec.get("description"),
        tags=spec.get("tags") or {},
        properties=spec.get("properties") or {},
        model=_reference(deployment.target.model) if deployment.target.model else None,
        code_configuration=spec.get("code_configuration"),
        environment=spec.get("environment"),
        environment_variables=spec.get("environment_variables") or {},
        instance_type=spec.get("instance_type"),
        instance_count=spec.get("instance_count", 1),
        request_settings=spec.get("request_settings"),
        data_collector=spec.get("data_collector"),
        spec=spec,
        provisioning_state=_provisioning(deployment),
        status=deployment.status,
        detail=deployment.detail,
        generation=deployment.target.number,
        live_generation=deployment.live.number if deployment.live else None,
        live_model=deployment.live.model if deployment.live else None,
        replicas=deployment.replicas,
        traffic=traffic,
        ignored=not_acted_upon(spec, OnlineDeployment),
        created_at=deployment.created_at,
        changed_at=deployment.changed_at,
    )


def _reference(model: str) -> str:
    """A model as a specification names it."""
    path, _, version = model.rpartition(":")
    registry, _, name = path.rpartition("/")
    return f"azureml://registries/{registry}/models/{name}/versions/{version}" if registry else f"azureml:{model}"


def _provisioning(deployment: Deployment) -> ProvisioningState:
    match deployment.status:
        case "requested" | "building" | "starting":
            return "Creating" if deployment.live is None else "Updating"
        case "ready" | "degraded":
            return "Succeeded"
        case "failed":
            return "Failed"
        case "deleting":
            return "Deleting"
