"""Jobs: a command, a pipeline, a sweep, and those of a type that cannot run."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from modelyard_specs.kinds.assets import EnvironmentField
from modelyard_specs.kinds.base import (
    ComputeRef,
    Flag,
    JobName,
    Key,
    Opaque,
    Resource,
    Snake,
    Text,
    WithoutEffect,
)
from modelyard_specs.kinds.components import (
    AnyStep,
    CommandComponent,
    CommandStep,
    ComponentField,
    ComponentStep,
    PipelineSettings,
    is_command,
)
from modelyard_specs.kinds.ports import JobInput, JobOutput
from modelyard_specs.kinds.runs import CommandType, Run
from modelyard_specs.kinds.sweeps import SweepRun

__all__ = [
    "AnyStep",
    "CommandComponent",
    "CommandJob",
    "CommandStep",
    "ComponentStep",
    "OpaqueJob",
    "PipelineJob",
    "PipelineSettings",
    "Run",
    "SweepJob",
    "is_command",
]


class Job(Resource):
    """What every job says."""

    name: JobName | None = None
    compute: Annotated[ComputeRef | None, WithoutEffect()] = None
    display_name: Text | None = None
    experiment_name: Text | None = None
    inputs: dict[Key, JobInput] = Field(default_factory=dict)
    outputs: dict[Key, JobOutput] = Field(default_factory=dict)
    parent_job_name: Annotated[Text | None, WithoutEffect()] = None


class CommandJob(Job, Run):
    """One command in one environment."""

    type: CommandType = "command"
    command: str
    environment: EnvironmentField
    is_deterministic: Annotated[Flag | None, WithoutEffect()] = None


class PipelineJob(Job):
    """Steps, bound to one another by expressions."""

    type: Annotated[Literal["pipeline"], Snake] = "pipeline"
    settings: PipelineSettings = Field(default_factory=PipelineSettings)
    jobs: dict[Key, AnyStep] = Field(default_factory=dict)
    component: ComponentField | None = None
    identity: Annotated[Any, WithoutEffect()] = None
    services: Annotated[Any, WithoutEffect()] = None

    @model_validator(mode="after")
    def _has_steps(self) -> "PipelineJob":
        if not self.jobs and self.component is None:
            raise ValueError("a pipeline needs `jobs`: its steps by name")
        return self


class SweepJob(Job, SweepRun):
    """Trials of a command over a search space."""

    type: Annotated[Literal["sweep"], Snake]
    trial: ComponentField


class OpaqueJob(Opaque):
    """A job of a type that cannot run."""

    type: Annotated[
        Literal["spark", "automl", "import", "finetuning", "distillation", "data_transfer", "parallel"], Snake
    ]
