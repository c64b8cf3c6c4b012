"""What the models cannot see one by one: bindings, cycles, a component's inputs, a trigger's."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath, Problem, nearest
from modelyard_specs.expressions import (
    Constant,
    EventAttribute,
    Expression,
    ParentPort,
    Port,
    SearchSpace,
    StepPort,
    describe,
    find_expressions,
    optional_expressions,
    sole_expression,
)
from modelyard_specs.kinds.automation import Trigger
from modelyard_specs.kinds.jobs import (
    CommandComponent,
    CommandJob,
    CommandStep,
    ComponentStep,
    PipelineJob,
)
from modelyard_specs.kinds.ports import LITERAL_TYPES, DeclaredInput, Input
from modelyard_specs.kinds.schedules import JobFrom, JobSchedule
from modelyard_specs.port_types import binding_fault, given_type, literal_fault
from modelyard_specs.references import Templated


@dataclass(slots=True)
class Findings:
    """What is wrong, and what is only odd."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check(document: Document) -> Findings:
    """Check a document as a whole, with the component and job files that it names."""
    findings = Findings()
    match document.model:
        case CommandJob() as job:
            _check_job(document, job, (), findings)
        case CommandComponent() as component:
            _check_component(document, component, (), findings)
        case PipelineJob() as pipeline:
            _Pipeline(document, pipeline, (), findings).check()
        case JobSchedule(create_job=created):
            _check_created(document, created, {}, findings)
        case Trigger() as trigger:
            for name, value in trigger.inputs.items():
                for expression in _expressions(document, ("inputs", name), value, findings):
                    if not isinstance(expression, EventAttribute):
                        _refuse(document, ("inputs", name), expression, "event.subject or event.data.PATH", findings)
            _check_created(document, trigger.create_job, trigger.inputs, findings)
        case _:
            pass
    return findings


def _check_created(document: Document, created: object, inputs: Mapping[str, object], findings: Findings) -> None:
    path: KeyPath = ("create_job",)
    given: dict[KeyPath, str] = {("inputs", name): name for name in inputs}
    if isinstance(created, JobFrom):
        given |= {("create_job", "inputs", name): name for name in created.inputs}
        created, path = created.job, ("create_job", "job")
    if path in document.files:
        created = document.files[path].model
    elif isinstance(created, PipelineJob):
        _Pipeline(document, created, path, findings).check()
    elif isinstance(created, CommandJob):
        _check_job(document, created, path, findings)
    if isinstance(created, CommandJob | PipelineJob):
        for where, name in given.items():
            if name not in created.inputs:
                findings.problems.append(
                    document.problem(
                        where,
                        f"the job has no input `{name}`",
                        _names(created.inputs),
                        nearest(name, created.inputs),
                        key=True,
                    )
                )


def _check_job(document: Document, job: CommandJob, path: KeyPath, findings: Findings) -> None:
    _check_command(document, job.command, path, job.inputs, job.outputs, findings)
    for name, value in job.inputs.items():
        where = (*path, "inputs", name)
        for expression in _expressions(document, where, value, findings):
            if not isinstance(expression, Constant):
                _refuse(document, where, expression, "a value: a command job stands alone", findings)


def _check_component(document: Document, component: CommandComponent, path: KeyPath, findings: Findings) -> None:
    _check_command(document, component.command, path, component.inputs, component.outputs, findings)
    try:
        optional = {e.name for e in optional_expressions(component.command) if isinstance(e, Port)}
        used = {e.name for e in find_expressions(component.command) if isinstance(e, Port) and e.side == "inputs"}
    except ValueError:
        return  # said by _check_command
    for name, declared in component.inputs.items():
        where = (*path, "inputs", name)
        if declared.default is not None and (expected := literal_fault(declared, declared.default)):
            message = f"the default `{declared.default}` does not fit"
            findings.problems.append(document.problem((*where, "default"), message, expected))
        if declared.optional and declared.default is None and name in used - optional:
            findings.warnings.append(
                document.problem(where, f"`{name}` is optional and the command uses it outside $[[…]]", key=True)
            )


def _check_command(
    document: Document,
    command: str,
    path: KeyPath,
    inputs: Iterable[str],
    outputs: Iterable[str],
    findings: Findings,
) -> None:
    where = (*path, "command")
    for expression in _expressions(document, where, command, findings):
        match expression:
            case Port(side, name):
                names = list(inputs if side == "inputs" else outputs)
                if name not in names:
                    message = f"the command uses `${{{{{expression}}}}}`, and there is no {describe(expression)}"
                    findings.problems.append(document.problem(where, message, _names(names), nearest(name, names)))
            case Constant() | SearchSpace():
                pass
            case _:
                _refuse(document, where, expression, "inputs.NAME or outputs.NAME", findings)


def _expressions(document: Document, path: KeyPath, value: object, findings: Findings) -> tuple[Expression, ...]:
    text = value.path.text if isinstance(value, Input) and isinstance(value.path, Templated) else value
    if not isinstance(text, str):
        return ()
    try:
        return find_expressions(text)
    except ValueError as error:
        findings.problems.append(document.problem(path, str(error)))
        return ()


def _refuse(document: Document, path: KeyPath, expression: Expression, expected: str, findings: Findings) -> None:
    findings.problems.append(document.problem(path, f"`${{{{{expression}}}}}` cannot stand here", expected))


def _names(names: Iterable[str]) -> str | None:
    listed = list(names)
    return f"one of {', '.join(listed)}" if listed else None


class _Pipeline:
    """The checks of one pipeline; ``path`` is where it stands in its document."""

    def __init__(self, document: Document, pipeline: PipelineJob, path: KeyPath, findings: Findings) -> None:
        self._document = document
        self._pipeline = pipeline
        self._path = path
        self._findings = findings
        self._needs: dict[str, dict[str, KeyPath]] = {name: {} for name in pipeline.jobs}

    def check(self) -> None:
        written: dict[str, str] = {}
        for name, step in self._pipeline.jobs.items():
            if not isinstance(step, CommandStep | ComponentStep):
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
            if isinstance(step, CommandStep):
                _check_command(self._document, step.command, path, step.inputs, step.outputs, self._findings)
            elif component is not None:
                if isinstance(step.component, CommandComponent):
                    _check_component(self._document, component, (*path, "component"), self._findings)
                self._check_ports(path, step, component)
        self._check_cycles()

    def _component(self, name: str, step: CommandStep | ComponentStep) -> CommandComponent | None:
        """The component of a step, when it is at hand: written inline or in a file."""
        if isinstance(step, CommandStep):
            return None
        file = self._document.files.get((*self._path, "jobs", name, "component"))
        model = file.model if file else step.component
        return model if isinstance(model, CommandComponent) else None

    def _check_ports(self, path: KeyPath, step: ComponentStep, component: CommandComponent) -> None:
        for name, declared in component.inputs.items():
            if declared.required and step.inputs.get(name) is None:
                message = f"the component's input `{name}` ({declared.type}) is not given"
                self._problem((*path, "inputs"), message)
        for side, given, known in (
            ("inputs", step.inputs, component.inputs),
            ("outputs", step.outputs, component.outputs),
        ):
            for name in given:
                if name not in known:
                    problem = self._document.problem(
                        (*path, side, name),
                        f"the component has no {side[:-1]} `{name}`",
                        _names(known),
                        nearest(name, known),
                        key=True,
                    )
                    (self._findings.warnings if side == "inputs" else self._findings.problems).append(problem)

    def _check_input(self, step: str, path: KeyPath, value: object, declared: DeclaredInput | None) -> None:
        expressions = _expressions(self._document, path, value, self._findings)
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
                    _refuse(self._document, path, expression, expected, self._findings)
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
                literal = value.value if isinstance(value, Input) else value
                if literal is not None and declared.type in LITERAL_TYPES:
                    if expected := literal_fault(declared, literal):
                        self._problem(path, f"the pipeline's `{name}` is `{literal}`", expected)
                elif value is not None:
                    self._report(path, binding_fault(given_type(value), declared.type))
            case StepPort(other, "outputs", name):
                step = self._pipeline.jobs.get(other)
                if isinstance(step, ComponentStep) and (component := self._component(other, step)):
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
        if not isinstance(other, CommandStep | ComponentStep):
            return
        names = set(other.inputs if port.side == "inputs" else other.outputs)
        component = self._component(port.step, other)
        if component is not None:
            names |= set(component.inputs if port.side == "inputs" else component.outputs)
        known = component is not None or isinstance(other, CommandStep)
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
        done: set[str] = set()
        for name in self._needs:
            cycle = next(_cycles(self._needs, name, [], done), None)
            if cycle:
                where = self._needs[cycle[0]][cycle[1]]
                self._problem(where, f"the steps wait for one another: {' → '.join(cycle)}")
                done.update(cycle)

    def _unknown(
        self, path: KeyPath, expression: Expression, names: Iterable[str], name: str, what: str | None = None
    ) -> None:
        listed = list(names)
        message = f"`${{{{{expression}}}}}`: there is no {what or describe(expression)}"
        self._problem(path, message, _names(listed), nearest(name, listed))

    def _report(self, path: KeyPath, fault: tuple[bool, str] | None) -> None:
        """A fault of types: serious ones are problems, others warnings."""
        if fault is not None:
            serious, message = fault
            problems = self._findings.problems if serious else self._findings.warnings
            problems.append(self._document.problem(path, message))

    def _problem(self, path: KeyPath, message: str, expected: str | None = None, suggestion: str | None = None) -> None:
        self._findings.problems.append(self._document.problem(path, message, expected, suggestion))


def _cycles(
    needs: Mapping[str, Mapping[str, KeyPath]], name: str, trail: list[str], done: set[str]
) -> Iterator[list[str]]:
    """Depth first; a finished step is never entered again, so that each cycle is told once."""
    if name in trail:
        yield [*trail[trail.index(name) :], name]
        return
    if name in done:
        return
    for needed in needs.get(name, {}):
        yield from _cycles(needs, needed, [*trail, name], done)
    done.add(name)
