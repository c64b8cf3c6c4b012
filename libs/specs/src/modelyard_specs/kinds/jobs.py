"""Command jobs, pipelines and their steps, command components."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from modelyard_specs.kinds.assets import EnvironmentField
from modelyard_specs.kinds.base import (
    AssetNameText,
    ComputeRef,
    Flag,
    Inlined,
    InlineTag,
    JobName,
    Key,
    Opaque,
    Ref,
    RefOrInline,
    RefTag,
    Resource,
    Snake,
    Spec,
    Text,
    Texts,
    VersionText,
    WithoutEffect,
)
from modelyard_specs.kinds.ports import DeclaredInput, DeclaredOutputs, JobInput, JobOutput, StepOutput

CommandType = Annotated[Literal["command"], Snake]


class Resources(Spec):
    """What a step needs. ``instance_type`` names a machine size where there are several."""

    instance_count: Annotated[int, Field(ge=1)] | str = 1
    instance_type: Text | None = None
    max_instance_count: Annotated[int | None, WithoutEffect()] = None
    shm_size: Annotated[Text | None, WithoutEffect()] = None
    docker_args: Annotated[Any, WithoutEffect()] = None
    locations: Annotated[Any, WithoutEffect()] = None
    properties: Annotated[dict[str, Any], WithoutEffect()] = Field(default_factory=dict)


class Limits(Spec):
    """``timeout`` in seconds."""

    timeout: Annotated[int | None, Field(ge=1)] = None


class Distribution(Spec):
    """How one step spreads over processes and nodes."""

    type: Text
    process_count_per_instance: int | str | None = None
    worker_count: int | None = None
    parameter_server_count: int | None = None
    port: int | None = None
    include_dashboard: bool | None = None
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


class CommandJob(Resource, Run):
    """One command in one environment."""

    name: JobName | None = None
    type: CommandType = "command"
    command: str
    environment: EnvironmentField
    compute: ComputeRef | None = None
    display_name: Text | None = None
    experiment_name: Text | None = None
    inputs: dict[Key, JobInput] = Field(default_factory=dict)
    outputs: dict[Key, JobOutput] = Field(default_factory=dict)


class CommandComponent(Resource, Run):
    """A command with declared inputs and outputs. ``is_deterministic: false`` keeps its steps from being reused."""

    type: CommandType = "command"
    name: AssetNameText | None = None
    version: VersionText | None = None
    display_name: Text | None = None
    command: str
    environment: EnvironmentField
    inputs: dict[Key, DeclaredInput] = Field(default_factory=dict)
    outputs: DeclaredOutputs = Field(default_factory=dict)
    is_deterministic: bool = True
    additional_includes: list[Text] = Field(default_factory=list)
    auto_delete_setting: Annotated[Any, WithoutEffect()] = None


def _component_form(value: object) -> str:
    if isinstance(value, BaseModel):
        return "<opaque>" if isinstance(value, Opaque) else "<component>"
    if not isinstance(value, dict):
        return "<reference>"
    return "<component>" if is_command(value) else "<opaque>"


def is_command(value: dict[str, Any]) -> bool:
    """Whether a job, step or component given as a mapping is a command: no type means command."""
    kind = value.get("type")
    return kind is None or (isinstance(kind, str) and kind.lower() == "command")


ComponentField = Annotated[
    Annotated[Ref, Tag("<reference>")]
    | Annotated[CommandComponent, Tag("<component>")]
    | Annotated[Opaque, Tag("<opaque>")],
    Discriminator(_component_form),
    Inlined("component"),
]


class Step(Run):
    """What every command step of a pipeline may say."""

    type: CommandType = "command"
    name: Text | None = None
    display_name: Text | None = None
    description: Text | None = None
    comment: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)
    compute: ComputeRef | None = None
    inputs: dict[Key, JobInput] = Field(default_factory=dict)
    outputs: dict[Key, StepOutput] = Field(default_factory=dict)


class CommandStep(Step):
    """A step that holds its command."""

    command: str
    environment: EnvironmentField
    experiment_name: Annotated[Text | None, WithoutEffect()] = None
    is_deterministic: bool = True


class ComponentStep(Step):
    """A step that names its component: a file, a registered one, or a mapping."""

    component: ComponentField
    environment: EnvironmentField | None = None


def _step_form(value: object) -> str:
    if isinstance(value, BaseModel):
        return {CommandStep: "<command>", ComponentStep: "<component>"}.get(type(value), "<opaque>")
    if isinstance(value, dict) and not is_command(value):
        return "<opaque>"
    return "<component>" if isinstance(value, dict) and "component" in value else "<command>"


AnyStep = Annotated[
    Annotated[CommandStep, Tag("<command>")]
    | Annotated[ComponentStep, Tag("<component>")]
    | Annotated[Opaque, Tag("<opaque>")],
    Discriminator(_step_form),
]


class PipelineSettings(Spec):
    """``force_rerun`` switches the reuse of earlier results off."""

    default_compute: ComputeRef | None = None
    default_datastore: Annotated[Text | None, WithoutEffect()] = None
    continue_on_step_failure: Flag = False
    force_rerun: Flag = False


class PipelineJob(Resource):
    """Steps, bound to one another by expressions."""

    name: JobName | None = None
    type: Annotated[Literal["pipeline"], Snake] = "pipeline"
    display_name: Text | None = None
    experiment_name: Text | None = None
    compute: ComputeRef | None = None
    settings: PipelineSettings = Field(default_factory=PipelineSettings)
    inputs: dict[Key, JobInput] = Field(default_factory=dict)
    outputs: dict[Key, JobOutput] = Field(default_factory=dict)
    jobs: dict[Key, AnyStep] = Field(default_factory=dict)
    component: Annotated[Annotated[Ref, RefTag] | Annotated[dict[str, Any], InlineTag], RefOrInline] | None = None
    identity: Annotated[Any, WithoutEffect()] = None
    services: Annotated[Any, WithoutEffect()] = None

    @model_validator(mode="after")
    def _has_steps(self) -> "PipelineJob":
        if not self.jobs and self.component is None:
            raise ValueError("a pipeline needs `jobs`: its steps by name")
        return self


class OpaqueJob(Opaque):
    """A job of a type that cannot run yet."""


class OpaqueComponent(Opaque):
    """A component of a type that cannot run yet."""
