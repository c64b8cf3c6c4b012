"""What parses and cannot run yet: refused when a specification is submitted, for a stated reason."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from modelyard_specs.documents import Document, local_paths
from modelyard_specs.errors import KeyPath, Problem, SpecError
from modelyard_specs.kinds import Kind
from modelyard_specs.kinds.automation import Trigger
from modelyard_specs.kinds.base import Opaque, Spec
from modelyard_specs.kinds.components import (
    CommandComponent,
    ParallelStep,
    PipelineComponent,
    PipelineStep,
    SweepStep,
)
from modelyard_specs.kinds.jobs import PipelineJob
from modelyard_specs.kinds.online import OnlineEndpoint
from modelyard_specs.kinds.runs import Run
from modelyard_specs.kinds.schedules import JobFrom, JobSchedule
from modelyard_specs.references import LocalPath, Reference


def require_submittable(document: Document) -> None:
    """Raise SpecError (code ``unsupported``) for whatever in the document cannot run yet, in the files that it names
    too; and, in a document that came without a file, for local paths, which only their own machine can follow."""
    problems = list(_unsupported_kind(document))
    for holder in document.holders():
        problems += (p for p in _unsupported(holder, holder.model, ()) if p not in problems)
    if document.source.file is None:
        for path, reference, _marker in local_paths(document.model):
            problems.append(document.problem(path, f"`{reference}` is a local path", "modelyard://trees/DIGEST"))
    if problems:
        raise SpecError(problems)


_KINDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "sweep_job": "sweep jobs are not supported yet",
        "parallel_component": "parallel components are not supported yet",
        "pipeline_component": "pipeline components are not supported yet",
        "data_import": "data imports are not supported yet: register the data with its files or its address",
        "model_package": "model packages are not supported yet",
        "batch_endpoint": "batch endpoints are not supported yet",
        "batch_deployment": "batch deployments are not supported yet",
        "serverless_endpoint": "serverless endpoints are models of the original's catalog: deploy a model of your own",
        "import_schedule": "schedules that import data are not supported yet",
        "workspace": "workspaces are not made from files: `modelyard workspace create`",
        "registry": "registries of the original are not made from files",
    }
)
"""Why a kind that parses cannot be submitted."""


def _unsupported_kind(document: Document) -> Iterator[Problem]:
    if document.kind in _KINDS:
        yield document.problem((), _KINDS[document.kind], code="unsupported")


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
        case PipelineJob() if isinstance(value.component, Reference):
            yield refuse((*path, "component"), "pipeline components are")
        case PipelineStep() | ParallelStep() | SweepStep():
            yield refuse((*path, "type"), f"`type: {value.type}` is")
            return  # what is in it is told when it can run
        case PipelineComponent() if path:
            yield refuse(path, "pipeline components are")
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
