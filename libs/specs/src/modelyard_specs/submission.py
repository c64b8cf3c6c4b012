"""What parses and cannot run yet: refused when a specification is submitted, for a stated reason."""

from collections.abc import Iterator

from modelyard_specs.documents import Document, local_paths
from modelyard_specs.errors import KeyPath, Problem, SpecError
from modelyard_specs.kinds.automation import Trigger
from modelyard_specs.kinds.base import Opaque, Spec
from modelyard_specs.kinds.jobs import CommandComponent, PipelineJob, Run
from modelyard_specs.kinds.online import OnlineEndpoint
from modelyard_specs.kinds.schedules import JobFrom, JobSchedule
from modelyard_specs.references import LocalPath, Reference


def require_submittable(document: Document) -> None:
    """Raise SpecError (code ``unsupported``) for whatever in the document cannot run yet, in the files that it names
    too; and, in a document that came without a file, for local paths, which only their own machine can follow."""
    problems = list(_unsupported(document, document.model, ()))
    for file in document.files.values():
        problems += _unsupported(file, file.model, ())
    if document.source.file is None:
        for path, reference, _marker in local_paths(document.model):
            problems.append(document.problem(path, f"`{reference}` is a local path", "modelyard://trees/DIGEST"))
    if problems:
        raise SpecError(problems)


def _unsupported(document: Document, value: object, path: KeyPath) -> Iterator[Problem]:
    def refuse(where: KeyPath, what: str) -> Problem:
        return document.problem(where, f"{what} not supported yet", code="unsupported")

    match value:
        case Opaque():
            yield refuse((*path, "type"), f"`type: {value.type}` is")
        case Run():
            if value.distribution is not None:
                yield refuse((*path, "distribution"), "distributed steps are")
            if value.resources is not None and value.resources.instance_count != 1:
                yield refuse((*path, "resources", "instance_count"), "steps on more than one instance are")
            if isinstance(value, CommandComponent) and value.additional_includes:
                yield refuse((*path, "additional_includes"), "additional includes are")
        case PipelineJob() if value.component is not None:
            yield refuse((*path, "component"), "pipeline components are")
        case OnlineEndpoint() if value.auth_mode != "key":
            yield refuse((*path, "auth_mode"), f"`{value.auth_mode}` is")
        case JobSchedule(create_job=created) | Trigger(create_job=created) | JobFrom(job=created):
            key = "job" if isinstance(value, JobFrom) else "create_job"
            if isinstance(created, Reference) and not isinstance(created, LocalPath):
                yield refuse((*path, key), "jobs that are named instead of given are")
        case _:
            pass
    if isinstance(value, Spec) and not isinstance(value, Opaque):
        for key, item, _markers in value.entries():
            yield from _unsupported(document, item, (*path, key))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _unsupported(document, item, (*path, key))
