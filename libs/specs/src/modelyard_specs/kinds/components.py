"""Components and the steps that use them: a pipeline component has steps itself."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from modelyard_specs.kinds.assets import EnvironmentField
from modelyard_specs.kinds.base import (
    AssetNameText,
    ComputeRef,
    Flag,
    Inlined,
    Key,
    Opaque,
    Ref,
    Resource,
    Snake,
    Spec,
    Text,
    Texts,
    VersionText,
    WithoutEffect,
)
from modelyard_specs.kinds.parallel import ParallelRun
from modelyard_specs.kinds.ports import DeclaredInput, DeclaredOutputs, JobInput, StepOutput
from modelyard_specs.kinds.runs import CommandType, Run
from modelyard_specs.kinds.sweeps import SweepRun

STEP_TYPES = ("command", "pipeline", "parallel", "sweep")


class Component(Resource):
    """What every component says. ``is_deterministic: false`` keeps its steps from being reused."""

    name: AssetNameText | None = None
    version: VersionText | None = None
    display_name: Text | None = None
    inputs: dict[Key, DeclaredInput] = Field(default_factory=dict)
    outputs: DeclaredOutputs = Field(default_factory=dict)
    is_deterministic: Flag = True
    additional_includes: list[Text] = Field(default_factory=list)
    auto_delete_setting: Annotated[Any, WithoutEffect()] = None
    intellectual_property: Annotated[Any, WithoutEffect()] = None


class CommandComponent(Component, Run):
    """A command with declared inputs and outputs."""

    type: CommandType = "command"
    command: str
    environment: EnvironmentField


class ParallelComponent(Component, ParallelRun):
    """A parallel run with declared inputs and outputs."""

    type: Annotated[Literal["parallel"], Snake]


class PipelineComponent(Component):
    """Steps with declared inputs and outputs."""

    type: Annotated[Literal["pipeline"], Snake] = "pipeline"
    jobs: "dict[Key, AnyStep]"
    settings: "PipelineSettings | None" = None
    identity: Annotated[Any, WithoutEffect()] = None

    @model_validator(mode="after")
    def _has_steps(self) -> "PipelineComponent":
        if not self.jobs:
            raise ValueError("a pipeline needs `jobs`: its steps by name")
        return self


class OpaqueComponent(Opaque):
    """A component of a type that cannot run."""

    type: Annotated[Literal["spark", "import", "automl", "data_transfer", "flow", "sweep"], Snake]


AnyComponent = CommandComponent | ParallelComponent | PipelineComponent
"""A component whose ports are known."""


def kind_of(value: dict[str, Any]) -> str:
    """The type of a job, step or component given as a mapping, in lower case; none means pipeline where there are
    steps, else command."""
    kind = value.get("type")
    if kind is None:
        return "pipeline" if "jobs" in value else "command"
    return kind.lower() if isinstance(kind, str) else ""


def is_command(value: dict[str, Any]) -> bool:
    """Whether a job, step or component given as a mapping is a command."""
    return kind_of(value) == "command"


def _component_form(value: object) -> str:
    if isinstance(value, BaseModel):
        forms: dict[type, str] = {
            CommandComponent: "<command>",
            ParallelComponent: "<parallel>",
            PipelineComponent: "<pipeline>",
        }
        return forms.get(type(value), "<opaque>")
    if not isinstance(value, dict):
        return "<reference>"
    kind = kind_of(value)
    return f"<{kind}>" if kind in {"command", "parallel", "pipeline"} else "<opaque>"


ComponentField = Annotated[
    Annotated[Ref, Tag("<reference>")]
    | Annotated[CommandComponent, Tag("<command>")]
    | Annotated[ParallelComponent, Tag("<parallel>")]
    | Annotated[PipelineComponent, Tag("<pipeline>")]
    | Annotated[OpaqueComponent, Tag("<opaque>")],
    Discriminator(_component_form),
    Inlined("component"),
]
"""A file, a registered component, or one written inline."""


class BaseStep(Spec):
    """What every step of a pipeline may say."""

    name: Text | None = None
    display_name: Text | None = None
    description: Text | None = None
    comment: Text | None = None
    tags: Texts = Field(default_factory=dict)
    properties: dict[str, Any] = Field(default_factory=dict)
    compute: Annotated[ComputeRef | None, WithoutEffect()] = None
    inputs: dict[Key, JobInput] = Field(default_factory=dict)
    outputs: dict[Key, StepOutput] = Field(default_factory=dict)
    experiment_name: Annotated[Text | None, WithoutEffect()] = None
    schema_url: Annotated[Text | None, Field(alias="$schema")] = None
    parent_job_name: Annotated[Text | None, WithoutEffect()] = None


class Step(BaseStep, Run):
    """What every command step may say."""

    type: CommandType = "command"


class CommandStep(Step):
    """A step that holds its command."""

    command: str
    environment: EnvironmentField
    is_deterministic: Flag = True


class ComponentStep(Step):
    """A step that names its component: a file, a registered one, or a mapping."""

    component: ComponentField
    environment: EnvironmentField | None = None


class ParallelStep(BaseStep, ParallelRun):
    """A parallel run: its own ``task``, or a component's."""

    type: Annotated[Literal["parallel"], Snake]
    component: ComponentField | None = None
    environment: EnvironmentField | None = None
    is_deterministic: Flag = True

    @model_validator(mode="after")
    def _has_task(self) -> "ParallelStep":
        if self.task is None and self.component is None:
            raise ValueError("a parallel step needs `task` or `component`")
        return self


class PipelineStep(BaseStep):
    """A pipeline component as one step."""

    type: Annotated[Literal["pipeline"], Snake]
    component: ComponentField
    settings: "PipelineSettings | None" = None
    identity: Annotated[Any, WithoutEffect()] = None


class SweepStep(BaseStep, SweepRun):
    """Trials of a component: a file, a registered one, or a command written inline."""

    type: Annotated[Literal["sweep"], Snake]
    trial: ComponentField


class OpaqueStep(Opaque):
    """A step of a type that cannot run."""

    type: Annotated[
        Literal[
            "spark",
            "automl",
            "import",
            "finetuning",
            "distillation",
            "data_transfer",
            "do_while",
            "if_else",
            "parallel_for",
        ],
        Snake,
    ]


KnownStep = CommandStep | ComponentStep | ParallelStep | PipelineStep | SweepStep
"""A step whose inputs and outputs can be checked."""


def _step_form(value: object) -> str:
    if isinstance(value, BaseModel):
        forms: dict[type, str] = {
            CommandStep: "<command>",
            ComponentStep: "<component>",
            ParallelStep: "<parallel>",
            PipelineStep: "<pipeline>",
            SweepStep: "<sweep>",
        }
        return forms.get(type(value), "<opaque>")
    if not isinstance(value, dict):
        return "<command>"
    kind = kind_of(value)
    if kind != "command":
        return f"<{kind}>" if kind in STEP_TYPES else "<opaque>"
    return "<component>" if "component" in value else "<command>"


AnyStep = Annotated[
    Annotated[CommandStep, Tag("<command>")]
    | Annotated[ComponentStep, Tag("<component>")]
    | Annotated[ParallelStep, Tag("<parallel>")]
    | Annotated[PipelineStep, Tag("<pipeline>")]
    | Annotated[SweepStep, Tag("<sweep>")]
    | Annotated[OpaqueStep, Tag("<opaque>")],
    Discriminator(_step_form),
]


class PipelineSettings(Spec):
    """``force_rerun`` switches the reuse of earlier results off."""

    default_compute: Annotated[ComputeRef | None, WithoutEffect()] = None
    default_datastore: Annotated[Text | None, WithoutEffect()] = None
    continue_on_step_failure: Flag = False
    force_rerun: Flag = False


for _model in (PipelineComponent, PipelineStep, ComponentStep, ParallelStep, SweepStep):
    _model.model_rebuild()
