"""Online endpoints and deployments."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from modelyard_specs.kinds.assets import EnvironmentField, ModelField
from modelyard_specs.kinds.base import Flag, Ref, Resource, Snake, Spec, Text, Texts, Whole, WithoutEffect

Percent = Annotated[Whole, Field(ge=0, le=100)]
EndpointName = Annotated[Text, Field(pattern=r"^[A-Za-z]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$")]
"""Up to 32 letters, digits and hyphens, as in the original."""


class OnlineEndpoint(Resource):
    """A stable address with keys, over deployments that share its traffic."""

    name: EndpointName | None = None
    auth_mode: Annotated[Literal["key", "aml_token", "aad_token"], Snake] = "key"
    traffic: dict[str, Percent] = Field(default_factory=dict)
    mirror_traffic: dict[str, Percent] = Field(default_factory=dict)
    compute: Annotated[Text | None, WithoutEffect()] = None
    identity: Annotated[Any, WithoutEffect()] = None
    public_network_access: Annotated[Text | None, WithoutEffect()] = None
    location: Annotated[Text | None, WithoutEffect()] = None
    kind: Annotated[Text | None, WithoutEffect()] = None
    scoring_uri: Annotated[Any, WithoutEffect()] = None
    openapi_uri: Annotated[Any, WithoutEffect()] = None

    @model_validator(mode="after")
    def _whole(self) -> "OnlineEndpoint":
        if self.traffic and sum(self.traffic.values()) not in {0, 100}:
            raise ValueError(f"the traffic adds up to {sum(self.traffic.values())}, not to 0 or 100")
        return self


class CodeConfiguration(Spec):
    """A folder, and the script in it that has ``init()`` and ``run()``."""

    code: Ref
    scoring_script: Text


class RequestSettings(Spec):
    """Times in milliseconds."""

    request_timeout_ms: Annotated[Whole | None, Field(ge=1)] = None
    max_concurrent_requests_per_instance: Annotated[Whole | None, Field(ge=1), WithoutEffect()] = None
    max_queue_wait_ms: Annotated[Whole | None, Field(ge=0), WithoutEffect()] = None


class Probe(Spec):
    """Times in seconds."""

    initial_delay: Annotated[Whole | None, Field(ge=0)] = None
    period: Annotated[Whole | None, Field(ge=1)] = None
    timeout: Annotated[Whole | None, Field(ge=1)] = None
    success_threshold: Annotated[Whole | None, Field(ge=1)] = None
    failure_threshold: Annotated[Whole | None, Field(ge=1)] = None


class Collection(Spec):
    """One kind of rows to keep: ``model_inputs``, ``model_outputs`` or a name of the user's."""

    enabled: Flag
    sampling_rate: Annotated[float | None, Field(ge=0, le=1)] = None
    data: Annotated[Any, WithoutEffect()] = None
    client_id: Annotated[Text | None, WithoutEffect()] = None


class DataCollector(Spec):
    """What is kept of the requests, and which part of it (``sampling_rate``, 0 to 1)."""

    collections: dict[str, Collection] = Field(default_factory=dict)
    sampling_rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    rolling_rate: Annotated[Text | None, WithoutEffect()] = None
    request_logging: Annotated[Any, WithoutEffect()] = None


class ResourceAmounts(Spec):
    """Kubernetes quantities: ``cpu: "0.5"``, ``memory: 1Gi``."""

    cpu: Text | None = None
    memory: Text | None = None
    gpu: Text | None = Field(default=None)
    nvidia_gpu: Text | None = Field(default=None, alias="nvidia.com/gpu")


class ResourceRequirements(Spec):
    """What a replica asks for, and may take at most."""

    requests: ResourceAmounts | None = None
    limits: Annotated[ResourceAmounts | None, WithoutEffect()] = None


class ScaleSettings(Spec):
    """``default`` keeps ``instance_count``; ``target_utilization`` moves between two counts. Interval in seconds."""

    type: Annotated[Literal["default", "target_utilization"], Snake]
    min_instances: Annotated[Whole | None, Field(ge=0)] = None
    max_instances: Annotated[Whole | None, Field(ge=1)] = None
    polling_interval: Annotated[Whole | None, Field(ge=1)] = None
    target_utilization_percentage: Annotated[Whole | None, Field(ge=1, le=100)] = None


class OnlineDeployment(Resource):
    """A model in replicas behind an endpoint."""

    name: EndpointName | None = None
    endpoint_name: EndpointName | None = None
    type: Annotated[Literal["managed", "kubernetes"], Snake] | None = None
    model: ModelField | None = None
    code_configuration: CodeConfiguration | None = None
    environment: EnvironmentField | None = None
    environment_variables: Texts = Field(default_factory=dict)
    instance_type: Annotated[Text | None, WithoutEffect()] = None
    instance_count: Annotated[Whole, Field(ge=0)] = 1
    request_settings: RequestSettings = Field(default_factory=RequestSettings)
    liveness_probe: Annotated[Probe | None, WithoutEffect()] = None
    readiness_probe: Annotated[Probe | None, WithoutEffect()] = None
    data_collector: DataCollector | None = None
    resources: ResourceRequirements | None = None
    scale_settings: Annotated[ScaleSettings | None, WithoutEffect()] = None
    model_mount_path: Annotated[Text | None, WithoutEffect()] = None
    app_insights_enabled: Annotated[Flag | None, WithoutEffect()] = None
    egress_public_network_access: Annotated[Text | None, WithoutEffect()] = None
    private_network_connection: Annotated[Flag | None, WithoutEffect()] = None

    @model_validator(mode="after")
    def _something_to_run(self) -> "OnlineDeployment":
        if self.model is None and self.code_configuration is None and self.environment is None:
            raise ValueError("a deployment needs `model`, or `code_configuration` with `environment`")
        return self
