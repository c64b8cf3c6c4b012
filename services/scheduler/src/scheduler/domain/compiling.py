"""From a resolved specification (every reference a tree, every component inline) to the plan of a job.

What `modelyard_specs` has checked is not checked again; what only shows when everything is bound is a SpecError here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from modelyard_contracts.work import DataType, External
from modelyard_specs import (
    AssetVersion,
    Constant,
    DatastorePath,
    Expression,
    ParentPort,
    Problem,
    RegistryAsset,
    RemoteUrl,
    SpecError,
    StepPort,
    Templated,
    TreeReference,
    UnboundError,
    find_expressions,
    render,
    sole_expression,
)
from modelyard_specs.kinds.assets import Environment
from modelyard_specs.kinds.jobs import CommandComponent, CommandJob, CommandStep, ComponentStep, PipelineJob, Run
from modelyard_specs.kinds.ports import DeclaredInput, Input, Output
from modelyard_specs.port_types import given_type
from modelyard_specs.references import Reference
from scheduler.domain.plans import (
    DEFAULT_TIMEOUT_S,
    LITERAL_TYPES,
    AssetPlan,
    Binding,
    Files,
    FromStep,
    JobPlan,
    OutputPlan,
    Outside,
    StepPlan,
    Value,
)

ONLY_STEP: Final = "main"
"""The one step of a command job."""

_DEFAULT_DATASTORE: Final = "workspaceblobstore"


def compile_job(
    model: CommandJob | PipelineJob, job: str, external: Mapping[str, External] = MappingProxyType({})
) -> JobPlan:
    """The plan of a job named `job`. `external` is what was found outside, by reference. Raises SpecError with every finding."""
    compiler = _Command(model, job) if isinstance(model, CommandJob) else _Pipeline(model, job)
    compiler.external = external
    return compiler.plan()


def literal_text(value: object) -> str:
    """A literal as the original puts it into a command: True and False capitalised."""
    return str(value)


class _Compiler:
    def __init__(self, job: str) -> None:
        self.job = job
        self.external: Mapping[str, External] = {}
        self.problems: list[Problem] = []

    def problem(self, path: str, message: str, expected: str | None = None) -> None:
        self.problems.append(Problem(path, None, None, message, expected))

    def expression(self, expression: Expression, path: str) -> Binding | None:
        """What an expression stands for; None when nothing was given."""
        match expression:
            case Constant("name"):
                return Value(type="string", value=self.job)
            case Constant("default_datastore"):
                return Value(type="string", value=_DEFAULT_DATASTORE)
            case _:
                self.problem(path, f"`${{{{{expression}}}}}` has no meaning here")
                return None

    def bind(
        self, given: object, declared: DeclaredInput | None, path: str, *, optional: bool = False
    ) -> Binding | None:
        """One input: what was given, else what the component has as its default; None for an optional one without either."""
        before = len(self.problems)
        optional = optional or (declared is not None and not declared.required)
        wanted: str | None = declared.type if declared else None
        sources: list[object] = [given]
        if isinstance(given, Input):
            optional = optional or given.optional
            if wanted is None and "type" in given.model_fields_set:
                wanted = given.type
            sources = [given.path, given.value, given.default]
        if declared is not None:
            sources += [declared.path, declared.default]
        for source in sources:
            if source is not None and (found := self._bound(source, wanted, path)) is not None:
                return found
        if not optional and len(self.problems) == before:
            self.problem(path, "the input has no value")
        return None

    def _bound(self, source: object, wanted: str | None, path: str) -> Binding | None:
        text = source.text if isinstance(source, Templated) else source
        if isinstance(text, str) and (expression := sole_expression(text)) is not None:
            found = self.expression(expression, path)
            return found if found is None or wanted is None else _as_type(found, wanted)
        if isinstance(text, str) and (expressions := find_expressions(text)):
            return self._mixed(text, expressions, wanted, path)
        match source:
            case TreeReference(digest, below):
                return Files(type=cast("DataType", wanted or "uri_folder"), tree=digest, path=below)
            case AssetVersion() | RegistryAsset() | RemoteUrl() | DatastorePath() if (
                content := self.external.get(str(source))
            ) is not None:
                return Outside(type=cast("DataType", wanted or "uri_folder"), content=content)
            case str() | int() | float() | bool():
                type_ = wanted or given_type(source)
                if type_ not in LITERAL_TYPES:
                    self.problem(path, f"`{source}` is no files", f"a mapping with `type: {type_}` and `path`")
                    return None
                return Value(type=cast("DataType", type_), value=literal_text(source))
            case _:
                self.problem(path, f"`{source}` cannot be read", "an asset, a job's output or an uploaded path")
                return None

    def _mixed(self, text: str, expressions: tuple[Expression, ...], wanted: str | None, path: str) -> Binding | None:
        bindings: dict[str, str] = {}
        for expression in expressions:
            found = self.expression(expression, path)
            if not isinstance(found, Value):
                self.problem(path, f"`${{{{{expression}}}}}` is not known as text when the job is submitted")
                return None
            bindings[str(expression)] = found.value
        type_ = wanted if wanted in LITERAL_TYPES else "string"
        return Value(type=cast("DataType", type_), value=render(text, bindings))

    def run(self, runs: tuple[Run, ...], command: str, environment: object, name: str, path: str, *, inputs: dict[str, Binding],
            outputs: dict[str, DataType], deterministic: bool, display_name: str | None = None) -> StepPlan:  # fmt: skip
        """A step from what says how it runs: the later of `runs` (the step) goes over the earlier (its component)."""
        code = self._code(runs, path)
        limits = [run.limits.timeout for run in runs if run.limits is not None and run.limits.timeout is not None]
        variables = {key: text or "" for run in runs for key, text in run.environment_variables.items()}
        return StepPlan(
            name=name,
            display_name=display_name,
            command=self._command(command, inputs, outputs, path),
            code=code,
            environment=_environment(environment),
            inputs=inputs,
            outputs=outputs,
            environment_variables=variables,
            timeout_s=float(limits[-1]) if limits else DEFAULT_TIMEOUT_S,
            deterministic=deterministic,
        )

    def _code(self, runs: tuple[Run, ...], path: str) -> str | None:
        code: Reference | None = next((run.code for run in reversed(runs) if run.code is not None), None)
        if code is None:
            return None
        if not isinstance(code, TreeReference) or code.path:
            self.problem(f"{path}code", f"`{code}` cannot be used as code", "modelyard://trees/DIGEST")
            return None
        return code.digest

    def _command(self, command: str, inputs: Mapping[str, Binding], outputs: Mapping[str, DataType], path: str) -> str:
        """Literals are put in here; where files lie only the node knows, so their expressions stay."""
        bindings = {"name": self.job, "default_datastore": _DEFAULT_DATASTORE}
        for name, binding in inputs.items():
            bindings[f"inputs.{name}"] = binding.value if isinstance(binding, Value) else f"${{{{inputs.{name}}}}}"
        bindings |= {f"outputs.{name}": f"${{{{outputs.{name}}}}}" for name in outputs}
        try:
            return render(command, bindings)
        except UnboundError as error:
            self.problem(f"{path}command", str(error), "an input that has a value, or $[[…]] around what is optional")
            return command

    def output_type(self, type_: str, path: str) -> DataType:
        if type_ in LITERAL_TYPES:
            self.problem(
                path, f"outputs of type {type_} are not supported yet", "uri_file, uri_folder, mltable or a model type"
            )
        return cast("DataType", type_)

    def done(self) -> None:
        if self.problems:
            raise SpecError(self.problems)


class _Command(_Compiler):
    def __init__(self, model: CommandJob, job: str) -> None:
        super().__init__(job)
        self._model = model

    def plan(self) -> JobPlan:
        model = self._model
        inputs = {
            name: bound
            for name, given in model.inputs.items()
            if (bound := self.bind(given, None, f"inputs.{name}")) is not None
        }
        outputs = {
            name: self.output_type(output.type, f"outputs.{name}.type") for name, output in model.outputs.items()
        }
        step = self.run((model,), model.command, model.environment, ONLY_STEP, "", inputs=inputs, outputs=outputs,
                        deterministic=False)  # fmt: skip
        self.done()
        return JobPlan(
            kind="command",
            steps=(step,),
            outputs={name: OutputPlan(type=type_, step=ONLY_STEP, output=name) for name, type_ in outputs.items()},
            assets=tuple(
                _asset(name, ONLY_STEP, name, outputs[name], output)
                for name, output in model.outputs.items()
                if output.name
            ),
        )


class _Pipeline(_Compiler):
    def __init__(self, model: PipelineJob, job: str) -> None:
        super().__init__(job)
        self._model = model
        self._parent: dict[str, Binding | None] = {}
        self._outputs: dict[str, dict[str, DataType]] = {}
        self._bound_to: dict[str, OutputPlan] = {}
        self._assets: list[AssetPlan] = []

    def plan(self) -> JobPlan:
        for name, given in self._model.inputs.items():
            self._parent[name] = self.bind(given, None, f"inputs.{name}", optional=True)
        for name, step in self._model.jobs.items():
            if isinstance(step, CommandStep | ComponentStep):
                self._outputs[name] = self._step_outputs(name, step)
        steps = tuple(
            self._step(name, step)
            for name, step in self._model.jobs.items()
            if isinstance(step, CommandStep | ComponentStep)
        )
        for name, output in self._model.outputs.items():
            if output.name is None:
                continue
            if (bound := self._bound_to.get(name)) is None:
                self.problem(f"outputs.{name}", "no step writes the output that is to be registered",
                             f"a step's output bound to ${{{{parent.outputs.{name}}}}}")  # fmt: skip
            else:
                self._assets.append(_asset(name, bound.step, bound.output, bound.type, output))
        self.done()
        return JobPlan(
            kind="pipeline",
            steps=steps,
            outputs=self._bound_to,
            assets=tuple(self._assets),
            continue_on_failure=self._model.settings.continue_on_step_failure,
            force_rerun=self._model.settings.force_rerun,
        )

    def expression(self, expression: Expression, path: str) -> Binding | None:
        match expression:
            case ParentPort("inputs", name):
                return self._parent.get(name)
            case StepPort(step, "outputs", name):
                if name not in self._outputs.get(step, {}):
                    self.problem(path, f"step `{step}` has no output `{name}`")
                    return None
                return FromStep(type=self._outputs[step][name], step=step, output=name)
            case StepPort(step, "inputs", name):
                other = self._model.jobs[step]
                assert isinstance(other, CommandStep | ComponentStep)
                return self.bind(other.inputs.get(name), _declared(other).get(name), path)
            case _:
                return super().expression(expression, path)

    def _step_outputs(self, name: str, step: CommandStep | ComponentStep) -> dict[str, DataType]:
        component = step.component if isinstance(step, ComponentStep) else None
        declared = component.outputs if isinstance(component, CommandComponent) else {}
        types: dict[str, DataType] = {}
        for output in (*declared, *(given for given in step.outputs if given not in declared)):
            given = step.outputs.get(output)
            path = f"jobs.{name}.outputs.{output}"
            target = sole_expression(given.path if isinstance(given, Output) else given)
            parent = self._model.outputs.get(target.name) if isinstance(target, ParentPort) else None
            if output in declared:
                type_: str = declared[output].type
            elif isinstance(given, Output):
                type_ = given.type
            else:
                type_ = parent.type if parent else "uri_folder"
            types[output] = self.output_type(type_, path)
            if isinstance(target, ParentPort):
                # The pipeline's own word goes further than a plain folder: `type: mlflow_model` on it makes a model of it.
                whole = parent.type if parent and "type" in parent.model_fields_set else types[output]
                self._bound_to[target.name] = OutputPlan(type=whole, step=name, output=output)
            if isinstance(given, Output) and given.name:
                self._assets.append(_asset(f"{name}.{output}", name, output, types[output], given))
        return types

    def _step(self, name: str, step: CommandStep | ComponentStep) -> StepPlan:
        declared = _declared(step)
        path = f"jobs.{name}"
        inputs: dict[str, Binding] = {}
        for given in (*declared, *(other for other in step.inputs if other not in declared)):
            bound = self.bind(step.inputs.get(given), declared.get(given), f"{path}.inputs.{given}")
            if bound is not None:
                inputs[given] = bound
        if isinstance(step, CommandStep):
            return self.run((step,), step.command, step.environment, name, f"{path}.", inputs=inputs,
                            outputs=self._outputs[name], deterministic=step.is_deterministic,
                            display_name=step.display_name)  # fmt: skip
        component = step.component
        assert isinstance(component, CommandComponent)
        return self.run((component, step), component.command, step.environment or component.environment, name, f"{path}.",
                        inputs=inputs, outputs=self._outputs[name], deterministic=component.is_deterministic,
                        display_name=step.display_name or component.display_name)  # fmt: skip


def _declared(step: CommandStep | ComponentStep) -> Mapping[str, DeclaredInput]:
    component = step.component if isinstance(step, ComponentStep) else None
    return component.inputs if isinstance(component, CommandComponent) else {}


def _as_type(found: Binding, wanted: str) -> Binding:
    """A value bound to an input is of the input's type, not of its source's."""
    if (found.type in LITERAL_TYPES) != (wanted in LITERAL_TYPES):
        return found
    type_ = cast("DataType", wanted)
    match found:
        case Value(value=value):
            return Value(type=type_, value=value)
        case Files(tree=tree, path=path):
            return Files(type=type_, tree=tree, path=path)
        case Outside(content=content):
            return Outside(type=type_, content=content)
        case FromStep(step=step, output=output):
            return FromStep(type=type_, step=step, output=output)


def _environment(given: object) -> dict[str, Any] | str | None:
    match given:
        case None:
            return None
        case Environment():
            return given.model_dump(mode="json", by_alias=True, exclude_unset=True)
        case _:
            return str(given)


def _asset(label: str, step: str, step_output: str, type_: DataType, output: Output) -> AssetPlan:
    assert output.name is not None
    return AssetPlan(
        output=label,
        step=step,
        step_output=step_output,
        type=type_,
        name=output.name,
        version=output.version,
        description=output.description,
        tags={key: text or "" for key, text in output.tags.items()},
    )
