"""Pipelines: what their steps are bound to is there, fits, and never waits for itself."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath, nearest
from modelyard_specs.expressions import Constant, Expression, ParentPort, StepPort, describe, sole_expression
from modelyard_specs.kinds.components import (
    AnyComponent,
    CommandComponent,
    CommandStep,
    KnownStep,
    OpaqueStep,
    ParallelStep,
    PipelineComponent,
    SweepStep,
)
from modelyard_specs.kinds.jobs import PipelineJob
from modelyard_specs.kinds.ports import LITERAL_TYPES, DeclaredInput, Input
from modelyard_specs.port_types import binding_fault, given_type, literal_fault
from modelyard_specs.references import Templated
from modelyard_specs.validation.commands import check_command, check_component, check_parallel
from modelyard_specs.validation.findings import Findings, expressions_of, one_of, refuse


class PipelineCheck:
    """The checks of one pipeline; ``path`` is where it stands in its document."""

    def __init__(
        self, document: Document, pipeline: PipelineJob | PipelineComponent, path: KeyPath, findings: Findings
    ) -> None:
        self._document = document
        self._pipeline = pipeline
        self._path = path
        self._findings = findings
        self._needs: dict[str, dict[str, KeyPath]] = {name: {} for name in pipeline.jobs}

    def check(self) -> None:
        written: dict[str, str] = {}
        for name, step in self._pipeline.jobs.items():
            if isinstance(step, OpaqueStep):
                continue  # kept as written, refused when submitted
            path = (*self._path, "jobs", name)
            component = self._component(name, step)
            for given, value in step.inputs.items():
                declared = component.inputs.get(given) if component else None
                self._check_input(name, (*path, "inputs", given), value, declared)
            if isinstance(step.compute, Templated):
                self._check_input(name, (*path, "compute"), step.compute.text, None)
            for given, bound in step.outputs.items():
                if isinstance(bound, str):
                    self._check_output(name, (*path, "outputs", given), bound, written)
            self._check_work(path, step, component)
        if isinstance(self._pipeline, PipelineJob):
            self._check_whole(self._pipeline)
        self._check_cycles()

    def _component(self, name: str, step: KnownStep) -> AnyComponent | None:
        """The component of a step, when it is at hand: written inline or in a file."""
        if isinstance(step, CommandStep):
            return None
        key, written = ("trial", step.trial) if isinstance(step, SweepStep) else ("component", step.component)
        file = self._document.files.get((*self._path, "jobs", name, key))
        model = file.model if file else written
        return model if isinstance(model, AnyComponent) else None

    def _check_work(self, path: KeyPath, step: KnownStep, component: AnyComponent | None) -> None:
        """What a step does: its own command or script, or its component's."""
        document, findings = self._document, self._findings
        match step:
            case CommandStep():
                check_command(document, step.command, (*path, "command"), step.inputs, step.outputs, findings)
                return
            case ParallelStep():
                inputs, outputs = set(step.inputs), set(step.outputs)
                if component is not None:
                    inputs, outputs = inputs | set(component.inputs), outputs | set(component.outputs)
                if component is not None or step.component is None:
                    check_parallel(document, step, path, inputs, outputs, findings)
                written: object = step.component
            case SweepStep():
                written = None
                if isinstance(step.trial, CommandComponent):
                    check_command(document, step.trial.command, (*path, "trial", "command"),
                                  {*step.inputs, *step.trial.inputs, *step.search_space},
                                  {*step.outputs, *step.trial.outputs}, findings,
                                  search_space=step.search_space)  # fmt: skip
                    if not step.trial.inputs:
                        return  # a trial without a declaration takes what the step gives
            case _:
                written = step.component
        if component is None:
            return
        if isinstance(written, PipelineComponent):
            PipelineCheck(document, written, (*path, "component"), findings).check()
        elif isinstance(written, AnyComponent):
            check_component(document, written, (*path, "component"), findings)
        self._check_ports(path, step, component)

    def _check_whole(self, pipeline: PipelineJob) -> None:
        """A pipeline that is one component: its inputs are the component's."""
        file = self._document.files.get((*self._path, "component"))
        component = file.model if file else pipeline.component
        if isinstance(component, PipelineComponent):
            if not file:
                PipelineCheck(self._document, component, (*self._path, "component"), self._findings).check()
            for name, value in pipeline.inputs.items():
                if (declared := component.inputs.get(name)) is not None:
                    self._check_given((*self._path, "inputs", name), value, declared)
            self._check_ports(self._path, pipeline, component)

    def _check_ports(self, path: KeyPath, step: KnownStep | PipelineJob, component: AnyComponent) -> None:
        searched = step.search_space if isinstance(step, SweepStep) else {}
        for name, declared in component.inputs.items():
            if declared.required and step.inputs.get(name) is None and name not in searched:
                message = f"the component's input `{name}` ({declared.type}) is not given"
                self._problem((*path, "inputs"), message)
        for side, given, known in (
            ("inputs", step.inputs, component.inputs),
            ("search_space", searched, component.inputs),
            ("outputs", step.outputs, component.outputs),
        ):
            for name in given:
                if name not in known:
                    problem = self._document.problem(
                        (*path, side, name),
                        f"the component has no {'output' if side == 'outputs' else 'input'} `{name}`",
                        one_of(known),
                        nearest(name, known),
                        key=True,
                    )
                    (self._findings.problems if side == "outputs" else self._findings.warnings).append(problem)

    def _check_input(self, step: str, path: KeyPath, value: object, declared: DeclaredInput | None) -> None:
        expressions = expressions_of(self._document, path, value, self._findings)
        for expression in expressions:
            match expression:
                case ParentPort("inputs", name):
                    if name not in self._pipeline.inputs:
                        self._unknown(path, expression, self._pipeline.inputs, name)
                case StepPort(other, side, name):
                    self._check_step_port(step, path, StepPort(other, side, name))
                case Constant():
                    pass
                case _:
                    expected = "parent.inputs.NAME or parent.jobs.STEP.outputs.NAME"
                    refuse(self._document, path, expression, expected, self._findings)
        if declared is None:
            return
        if not expressions:
            self._check_given(path, value, declared)
        elif bound := sole_expression(value):
            self._check_bound(path, bound, declared)

    def _check_given(self, path: KeyPath, value: object, declared: DeclaredInput) -> None:
        if value is None or (isinstance(value, Input) and value.path is None and value.value is None):
            return
        if isinstance(value, Input) and value.value is None:
            self._report(path, binding_fault(value.type, declared.type))
        elif expected := literal_fault(declared, value.value if isinstance(value, Input) else value):
            shown = value.value if isinstance(value, Input) else value
            self._problem(path, f"`{shown}` does not fit the component's input", expected)

    def _check_bound(self, path: KeyPath, bound: Expression, declared: DeclaredInput) -> None:
        match bound:
            case ParentPort("inputs", name) if name in self._pipeline.inputs:
                value = self._pipeline.inputs[name]
                if isinstance(value, DeclaredInput):
                    self._report(path, binding_fault(value.type, declared.type))
                    return
                literal = value.value if isinstance(value, Input) else value
                if literal is not None and declared.type in LITERAL_TYPES:
                    if expected := literal_fault(declared, literal):
                        self._problem(path, f"the pipeline's `{name}` is `{literal}`", expected)
                elif value is not None:
                    self._report(path, binding_fault(given_type(value), declared.type))
            case StepPort(other, "outputs", name):
                step = self._pipeline.jobs.get(other)
                if isinstance(step, KnownStep) and (component := self._component(other, step)):
                    output = component.outputs.get(name)
                    self._report(path, binding_fault(output.type, declared.type) if output else None)
            case _:
                pass

    def _check_step_port(self, step: str, path: KeyPath, port: StepPort) -> None:
        other = self._pipeline.jobs.get(port.step)
        if other is None:
            self._unknown(path, port, self._pipeline.jobs, port.step, f"step `{port.step}`")
            return
        self._needs[step].setdefault(port.step, path)
        if isinstance(other, OpaqueStep):
            return
        names = set(other.inputs if port.side == "inputs" else other.outputs)
        component = self._component(port.step, other)
        if component is not None:
            names |= set(component.inputs if port.side == "inputs" else component.outputs)
        known = component is not None or isinstance(other, CommandStep)
        known = known or (isinstance(other, ParallelStep) and other.component is None)
        if known and port.name not in names:
            self._unknown(path, port, sorted(names), port.name)

    def _check_output(self, step: str, path: KeyPath, bound: str, written: dict[str, str]) -> None:
        try:
            expression = sole_expression(bound)
        except ValueError as error:
            self._problem(path, str(error))
            return
        if not isinstance(expression, ParentPort) or expression.side != "outputs":
            self._problem(path, f"`{bound}` is not valid here", "${{parent.outputs.NAME}} or a mapping")
            return
        if expression.name not in self._pipeline.outputs:
            self._unknown(path, expression, self._pipeline.outputs, expression.name)
        first = written.setdefault(expression.name, step)
        if first != step:
            self._problem(path, f"the output `{expression.name}` is written by step `{first}` too")

    def _check_cycles(self) -> None:
        needs = {name: dict(needed) for name, needed in self._needs.items()}
        while (cycle := _cycle(needs)) is not None:
            where = needs[cycle[0]][cycle[1]]
            self._problem(where, f"the steps wait for one another: {' → '.join(cycle)}")
            needs = {
                name: {other: path for other, path in needed.items() if other not in cycle}
                for name, needed in needs.items()
                if name not in cycle
            }

    def _unknown(
        self, path: KeyPath, expression: Expression, names: Iterable[str], name: str, what: str | None = None
    ) -> None:
        listed = list(names)
        message = f"`${{{{{expression}}}}}`: there is no {what or describe(expression)}"
        self._problem(path, message, one_of(listed), nearest(name, listed))

    def _report(self, path: KeyPath, fault: tuple[bool, str] | None) -> None:
        """A fault of types: serious ones are problems, others warnings."""
        if fault is not None:
            serious, message = fault
            problems = self._findings.problems if serious else self._findings.warnings
            problems.append(self._document.problem(path, message))

    def _problem(self, path: KeyPath, message: str, expected: str | None = None, suggestion: str | None = None) -> None:
        self._findings.problems.append(self._document.problem(path, message, expected, suggestion))


def _cycle(needs: Mapping[str, Mapping[str, KeyPath]]) -> list[str] | None:
    """Steps of which each waits for the next, the last being the first again; it begins with the one that was written
    first. None when there are none."""
    try:
        TopologicalSorter({name: list(needed) for name, needed in needs.items()}).prepare()
    except CycleError as error:
        around = list(reversed(error.args[1]))[1:]
        first = min(around, key=list(needs).index)
        at = around.index(first)
        return [*around[at:], *around[:at], first]
    return None
