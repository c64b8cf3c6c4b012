"""How a command runs: what jobs, steps and components share."""

from typing import Annotated, Any, Literal

from pydantic import Field

from modelyard_specs.kinds.base import Ref, Snake, Spec, Text, Texts, Whole, WithoutEffect

CommandType = Annotated[Literal["command"], Snake]


class Resources(Spec):
    """What a step needs."""

    instance_count: Annotated[Whole, Field(ge=1)] | str = 1
    instance_type: Annotated[Text | None, WithoutEffect()] = None
    max_instance_count: Annotated[int | None, WithoutEffect()] = None
    shm_size: Annotated[Text | None, WithoutEffect()] = None
    docker_args: Annotated[Any, WithoutEffect()] = None
    locations: Annotated[Any, WithoutEffect()] = None
    properties: Annotated[dict[str, Any], WithoutEffect()] = Field(default_factory=dict)
    runtime_version: Annotated[Text | None, WithoutEffect()] = None


class Limits(Spec):
    """``timeout`` in seconds."""

    timeout: Annotated[Whole, Field(ge=1)] | None = None


class Distribution(Spec):
    """How one step spreads over processes and nodes."""

    type: Text
    process_count_per_instance: int | str | None = None
    worker_count: int | None = None
    parameter_server_count: int | None = None
    port: int | None = None
    address: Text | None = None
    include_dashboard: bool | None = None
    dashboard_port: int | None = None
    head_node_additional_args: Text | None = None
    worker_node_additional_args: Text | None = None


class Run(Spec):
    """How a command runs: shared by jobs, inline steps and components."""

    code: Ref | None = None
    environment_variables: Texts = Field(default_factory=dict)
    resources: Resources | None = None
    limits: Limits | None = None
    distribution: Distribution | None = None
    identity: Annotated[Any, WithoutEffect()] = None
    services: Annotated[Any, WithoutEffect()] = None
    queue_settings: Annotated[Any, WithoutEffect()] = None
