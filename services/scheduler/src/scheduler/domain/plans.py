"""What a job comes down to: its steps with everything bound, as they are stored and turned into work orders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from modelyard_contracts.work import DataType, External, StepInput, StepOutput

LITERAL_TYPES: Final[frozenset[str]] = frozenset(("string", "integer", "number", "boolean"))
MODEL_TYPES: Final[frozenset[str]] = frozenset(("custom_model", "mlflow_model", "triton_model"))
DEFAULT_TIMEOUT_S: Final = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A literal, as the text that goes into the command."""

    kind: Literal["value"] = "value"
    type: DataType
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """A tree, or what lies at `path` below its root. Those of a registered version have its `subject` and its signed `manifest`."""

    kind: Literal["files"] = "files"
    type: DataType
    tree: str
    path: str = ""
    subject: str | None = None
    manifest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """Data that stays outside, as it was recorded."""

    kind: Literal["external"] = "external"
    type: DataType
    content: External


@dataclass(frozen=True, kw_only=True, slots=True)
class FromStep:
    """What another step puts out: known when that step is done."""

    kind: Literal["step"] = "step"
    type: DataType
    step: str
    output: str


Binding = Value | Files | Outside | FromStep


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPlan:
    """A step, ready but for what comes from other steps. `environment` is the specification the builder locks. The `code` of a registered
    component is signed; that of a job itself only has its digest."""

    name: str
    display_name: str | None = None
    command: str
    code: str | None = None
    code_subject: str | None = None
    code_manifest: str | None = None
    environment: dict[str, Any] | str | None = None
    inputs: dict[str, Binding] = field(default_factory=dict)
    outputs: dict[str, DataType] = field(default_factory=dict)
    environment_variables: dict[str, str] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S
    deterministic: bool = True

    @property
    def needs(self) -> tuple[str, ...]:
        """The steps whose outputs go into this one."""
        return tuple(dict.fromkeys(b.step for b in self.inputs.values() if isinstance(b, FromStep)))


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputPlan:
    """An output of the job: the output of one of its steps."""

    type: DataType
    step: str
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetPlan:
    """An output to be registered when the job has succeeded. `output` names it: `model`, or `train.model` of a step."""

    output: str
    step: str
    step_output: str
    type: DataType
    name: str
    version: str | None = None
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def collection(self) -> Literal["models", "data"]:
        """The kind of asset that it becomes."""
        return "models" if self.type in MODEL_TYPES else "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPlan:
    """A job as it will run."""

    kind: Literal["command", "pipeline"]
    steps: tuple[StepPlan, ...]
    outputs: dict[str, OutputPlan] = field(default_factory=dict)
    assets: tuple[AssetPlan, ...] = ()
    continue_on_failure: bool = False
    force_rerun: bool = False


STEP_PLAN: Final = TypeAdapter(StepPlan)
JOB_PLAN: Final = TypeAdapter(JobPlan)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What the files of a registered version are signed as: see `modelyard_platform.manifests`."""

    subject: str
    manifest: str | None


def with_signatures(plan: JobPlan, signed: Mapping[str, Signed]) -> JobPlan:
    """The plan whose files carry what they are signed as, by tree."""

    def sign(binding: Binding) -> Binding:
        if not isinstance(binding, Files) or (known := signed.get(binding.tree)) is None:
            return binding
        return replace(binding, subject=known.subject, manifest=known.manifest)

    def sign_step(step: StepPlan) -> StepPlan:
        step = replace(step, inputs={name: sign(binding) for name, binding in step.inputs.items()})
        if step.code is None or (known := signed.get(step.code)) is None:
            return step
        return replace(step, code_subject=known.subject, code_manifest=known.manifest)

    return replace(plan, steps=tuple(sign_step(step) for step in plan.steps))


def gather(plan: StepPlan, outputs: Mapping[str, Mapping[str, str]]) -> dict[str, StepInput]:
    """The step's inputs, with those from other steps filled in from `outputs` (tree digests by step and output)."""
    found = {}
    for name, binding in plan.inputs.items():
        match binding:
            case Value(type=type_, value=value):
                found[name] = StepInput(type=type_, value=value)
            case Files(type=type_, tree=tree, path=path, subject=subject, manifest=manifest):
                found[name] = StepInput(type=type_, tree=tree, path=path, subject=subject, manifest=manifest)
            case Outside(type=type_, content=content):
                found[name] = StepInput(type=type_, external=content)
            case FromStep(type=type_, step=step, output=output):
                found[name] = StepInput(type=type_, tree=outputs[step][output])
    return found


def cache_key(plan: StepPlan, lock: str | None, inputs: Mapping[str, StepInput]) -> str:
    """The identity of the work itself: sha256 of everything that decides its outputs, and of nothing else."""
    work = {
        "command": plan.command,
        "code": plan.code,
        "environment": lock,
        "inputs": {name: _identity(given) for name, given in inputs.items()},
        "outputs": dict(plan.outputs),
        "environment_variables": plan.environment_variables,
    }
    return hashlib.sha256(json.dumps(work, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _identity(given: StepInput) -> dict[str, Any]:
    identity = given.model_dump(
        exclude={"external", "subject", "manifest"}
    )  # the same files under another name are the same
    if given.external is not None:  # when it was looked at is no part of it
        identity["external"] = given.external.model_dump(exclude={"recorded_at", "last_modified"})
    return identity


def order_outputs(plan: StepPlan) -> dict[str, StepOutput]:
    """The outputs as the work order has them."""
    return {name: StepOutput(type=type_) for name, type_ in plan.outputs.items()}
