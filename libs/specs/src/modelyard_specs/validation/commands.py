"""Commands: what they use is there."""

from collections.abc import Collection

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath, nearest
from modelyard_specs.expressions import (
    Constant,
    Port,
    SearchSpace,
    describe,
    find_expressions,
    optional_expressions,
)
from modelyard_specs.kinds.components import AnyComponent, CommandComponent, ParallelComponent, ParallelStep
from modelyard_specs.kinds.jobs import CommandJob, SweepJob
from modelyard_specs.port_types import literal_fault
from modelyard_specs.validation.findings import Findings, expressions_of, one_of, refuse


def check_job(document: Document, job: CommandJob | SweepJob, path: KeyPath, findings: Findings) -> None:
    """A job that stands alone: its command, and inputs that are bound to nothing."""
    if isinstance(job, CommandJob):
        check_command(document, job.command, (*path, "command"), job.inputs, job.outputs, findings)
    else:
        check_trial(document, job, path, findings)
    for name, value in job.inputs.items():
        where = (*path, "inputs", name)
        for expression in expressions_of(document, where, value, findings):
            if not isinstance(expression, Constant):
                refuse(document, where, expression, "a value: this job stands alone", findings)


def check_trial(document: Document, sweep: SweepJob, path: KeyPath, findings: Findings) -> None:
    """The trial of a sweep job: its command may use the search space."""
    if isinstance(sweep.trial, CommandComponent):
        inputs = {*sweep.inputs, *sweep.trial.inputs, *sweep.search_space}
        outputs = {*sweep.outputs, *sweep.trial.outputs}
        where = (*path, "trial", "command")
        check_command(document, sweep.trial.command, where, inputs, outputs, findings, search_space=sweep.search_space)


def check_component(document: Document, component: AnyComponent, path: KeyPath, findings: Findings) -> None:
    """A component's defaults, and what its command or script uses."""
    for name, declared in component.inputs.items():
        if declared.default is not None and (expected := literal_fault(declared, declared.default)):
            message = f"the default `{declared.default}` does not fit"
            where = (*path, "inputs", name, "default")
            findings.problems.append(document.problem(where, message, expected))
    if isinstance(component, ParallelComponent):
        check_parallel(document, component, path, component.inputs, component.outputs, findings)
    if not isinstance(component, CommandComponent):
        return
    check_command(document, component.command, (*path, "command"), component.inputs, component.outputs, findings)
    try:
        optional = {e.name for e in optional_expressions(component.command) if isinstance(e, Port)}
        used = {e.name for e in find_expressions(component.command) if isinstance(e, Port) and e.side == "inputs"}
    except ValueError:
        return  # said by check_command
    for name, declared in component.inputs.items():
        if declared.optional and declared.default is None and name in used - optional:
            message = f"`{name}` is optional and the command uses it outside $[[…]]"
            findings.warnings.append(document.problem((*path, "inputs", name), message, key=True))


def check_parallel(
    document: Document,
    run: ParallelComponent | ParallelStep,
    path: KeyPath,
    inputs: Collection[str],
    outputs: Collection[str],
    findings: Findings,
) -> None:
    """What a parallel run names of its inputs and outputs."""
    texts: dict[KeyPath, str | None] = {("input_data",): run.input_data}
    if run.task is not None:
        texts[("task", "program_arguments")] = run.task.program_arguments
        texts[("task", "append_row_to")] = run.task.append_row_to
        texts[("task", "model")] = run.task.model
    for key, text in texts.items():
        if text is not None:
            check_command(document, text, (*path, *key), inputs, outputs, findings)


def check_command(
    document: Document,
    command: str,
    where: KeyPath,
    inputs: Collection[str],
    outputs: Collection[str],
    findings: Findings,
    *,
    search_space: Collection[str] | None = None,
) -> None:
    """Every expression of a command, which stands at ``where``, names something."""
    for expression in expressions_of(document, where, command, findings):
        match expression:
            case Port(side, name):
                names = list(inputs if side == "inputs" else outputs)
            case SearchSpace(name) if search_space is not None:
                names = list(search_space)
            case Constant() | SearchSpace():
                continue
            case _:
                refuse(document, where, expression, "inputs.NAME or outputs.NAME", findings)
                continue
        if name not in names:
            message = f"the command uses `${{{{{expression}}}}}`, and there is no {describe(expression)}"
            findings.problems.append(document.problem(where, message, one_of(names), nearest(name, names)))
