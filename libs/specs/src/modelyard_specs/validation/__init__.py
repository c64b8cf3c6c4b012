"""What the models cannot see one by one: bindings, cycles, a component's inputs, a trigger's."""

from collections.abc import Mapping

from modelyard_specs.documents import Document
from modelyard_specs.errors import KeyPath, nearest
from modelyard_specs.expressions import EventAttribute
from modelyard_specs.kinds.automation import Trigger
from modelyard_specs.kinds.cloud import Kept
from modelyard_specs.kinds.components import CommandComponent, ParallelComponent, PipelineComponent
from modelyard_specs.kinds.jobs import CommandJob, PipelineJob, SweepJob
from modelyard_specs.kinds.schedules import JobFrom, JobSchedule
from modelyard_specs.validation.commands import check_component, check_job
from modelyard_specs.validation.findings import Findings, expressions_of, one_of, refuse
from modelyard_specs.validation.pipelines import PipelineCheck
from modelyard_specs.validation.resources import check_resource

__all__ = ["Findings", "check"]


def check(document: Document) -> Findings:
    """Check a document as a whole, with the component and job files that it names."""
    findings = Findings()
    match document.model:
        case CommandJob() | SweepJob() as job:
            check_job(document, job, (), findings)
        case CommandComponent() | ParallelComponent() as component:
            check_component(document, component, (), findings)
        case PipelineComponent() as component:
            check_component(document, component, (), findings)
            PipelineCheck(document, component, (), findings).check()
        case PipelineJob() as pipeline:
            PipelineCheck(document, pipeline, (), findings).check()
        case JobSchedule(create_job=created):
            _check_created(document, created, {}, findings)
        case Trigger() as trigger:
            for name, value in trigger.inputs.items():
                for expression in expressions_of(document, ("inputs", name), value, findings):
                    if not isinstance(expression, EventAttribute):
                        refuse(document, ("inputs", name), expression, "event.subject or event.data.PATH", findings)
            _check_created(document, trigger.create_job, trigger.inputs, findings)
        case Kept() as resource:
            check_resource(document, resource, findings)
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
        PipelineCheck(document, created, path, findings).check()
    elif isinstance(created, CommandJob):
        check_job(document, created, path, findings)
    if isinstance(created, CommandJob | PipelineJob):
        names = _input_names(document, created, path)
        for where, name in given.items():
            if names is not None and name not in names:
                message = f"the job has no input `{name}`"
                findings.problems.append(
                    document.problem(where, message, one_of(names), nearest(name, names), key=True)
                )


def _input_names(document: Document, job: CommandJob | PipelineJob, path: KeyPath) -> set[str] | list[str] | None:
    """What can be given to a job; None when it is a pipeline whose component is not at hand."""
    if isinstance(job, CommandJob) or job.component is None:
        return list(job.inputs)
    holder = document.files.get(path, document)
    file = holder.files.get(("component",) if holder is not document else (*path, "component"))
    component = file.model if file else job.component
    return [*job.inputs, *component.inputs] if isinstance(component, PipelineComponent) else None
