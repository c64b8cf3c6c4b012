"""What jobs do, as OpenLineage run events. Pure: one of our events in, one run event out.

What recurs is OpenLineage's job, and what ran once is its run: our job `brave_otter_1`, shown as `train`, is a run of the job `train`.
A run's id is made of our job's name, so whoever knows the name knows the id, and a delivery that is repeated tells of the same run.
A run begins when it is submitted (START); RUNNING says that its first step has begun.

Source: OpenLineage specification 2-0-2 (openlineage.io/spec/2-0-2/OpenLineage.json) and its standard facets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid5

from modelyard_contracts import Event, short_type

Json: TypeAlias = dict[str, Any]

RUN_EVENTS: Final[dict[str, str]] = {
    "job.submitted": "START",
    "job.started": "RUNNING",
    "job.completed": "COMPLETE",
    "job.failed": "FAIL",
    "job.canceled": "ABORT",
    "step.started": "START",
    "step.completed": "COMPLETE",
    "step.reused": "COMPLETE",
    "step.failed": "FAIL",
    "step.canceled": "ABORT",
}
"""Our events that are events of a run, and what OpenLineage calls them."""

SCHEMA: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS: Final = {
    "parent": "1-2-0/ParentRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "tags": "1-0-0/TagsRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
}
_VERSION: Final = version("modelyard-notifier")
PRODUCER: Final = f"urn:modelyard:notifier:{_VERSION}"
_RUNS: Final = UUID("6d6f6465-6c79-5172-9d00-72756e730001")

_JOB_OUTPUT: Final = re.compile(r"^azureml://jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)")
_TREE: Final = re.compile(r"^modelyard://trees/(?P<digest>[0-9a-f]{64})")


def run_event(event: Event[Any]) -> Json | None:
    """The run event of one of our events, as JSON; None for an event that is of no run."""
    kind = short_type(event.type)
    if kind not in RUN_EVENTS:
        return None
    data: Json = event.data.model_dump(mode="json")
    step = data.get("step") if kind.startswith("step.") else None
    title = (data.get("title") if step else data.get("display_name") or data.get("experiment")) or data["job"]
    outer = _names(event.workspace, title, data["job"])
    run_id, job_name = outer["run"]["runId"], outer["job"]["name"]
    run_facets: Json = {
        **_facet("processing_engine", name="Modelyard", version=_VERSION, openlineageAdapterVersion=_VERSION),
        **_facet("tags", tags=list(_tags(event, data))),
    }
    if step:
        run_id = step_run_id(event.workspace, data["job"], step, data["attempt"])
        job_name = f"{job_name}.{step}"
        run_facets |= _facet("parent", **outer, root=outer)
    if kind in ("job.failed", "step.failed"):
        trace = {"stackTrace": data["log_tail"]} if data.get("log_tail") else {}
        run_facets |= _facet("errorMessage", message=data["detail"], programmingLanguage="unknown", **trace)
    return {
        "eventType": RUN_EVENTS[kind],
        "eventTime": event.time.isoformat(),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": run_id, "facets": run_facets},
        "job": {
            "namespace": namespace(event.workspace),
            "name": job_name,
            "facets": _job_facets(data, "STEP" if step else data["kind"].upper()),
        },
        "inputs": _distinct(_inputs(event.workspace, data)) if kind == "job.submitted" else [],
        "outputs": _distinct(_outputs(event.workspace, data, step)) if RUN_EVENTS[kind] == "COMPLETE" else [],
    }


def namespace(workspace: str) -> str:
    """Of a workspace's jobs and data sets."""
    return f"modelyard://{workspace}"


def job_run_id(workspace: str, job: str) -> str:
    """The run id of our job, always the same."""
    return str(uuid5(_RUNS, f"{workspace}/jobs/{job}"))


def step_run_id(workspace: str, job: str, step: str, attempt: int) -> str:
    """The run id of one attempt at a step, always the same."""
    return str(uuid5(_RUNS, f"{workspace}/jobs/{job}/steps/{step}/{attempt}"))


def _names(workspace: str, title: str, job: str) -> Json:
    return {"run": {"runId": job_run_id(workspace, job)}, "job": {"namespace": namespace(workspace), "name": title}}


def _facet(facet: str, /, **fields: Any) -> Json:
    file = _FACETS[facet]
    schema = f"https://openlineage.io/spec/facets/{file}.json#/$defs/{file.partition('/')[2]}"
    return {facet: {"_producer": PRODUCER, "_schemaURL": schema, **fields}}


def _tags(event: Event[Any], data: Json) -> Iterator[Json]:
    """What a reader of the run needs to find it here, and why it is there."""
    known = {
        "modelyard.job": data["job"],
        "modelyard.experiment": data.get("experiment"),
        "modelyard.trigger": data.get("trigger"),
        "modelyard.actor": event.actor,
        "modelyard.reason": event.reason,
        "modelyard.correlation_id": event.correlationid,
        "modelyard.reused_from": data.get("source"),
        "modelyard.environment": data.get("environment"),
    }
    for key, value in known.items():
        if value:
            yield {"key": key, "value": value, "source": "MODELYARD"}


def _job_facets(data: Json, job_type: str) -> Json:
    facets = _facet("jobType", processingType="BATCH", integration="MODELYARD", jobType=job_type)
    if data.get("repository") and data.get("commit"):
        optional = {"branch": data["branch"]} if data.get("branch") else {}
        facets |= _facet(
            "sourceCodeLocation",
            type="git",
            url=data["repository"],
            repoUrl=data["repository"],
            version=data["commit"],
            **optional,
        )
    return facets


def _inputs(workspace: str, data: Mapping[str, Any]) -> Iterator[Json]:
    for used in data.get("uses") or ():
        if used.startswith(("data/", "models/")):
            yield _version(workspace, used)
    for value in (data.get("inputs") or {}).values():
        if found := _JOB_OUTPUT.match(value):
            yield _dataset(workspace, f"jobs/{found['job']}/outputs/{found['output']}")
        elif found := _TREE.match(value):
            yield _dataset(workspace, f"trees/{found['digest']}", found["digest"])


def _outputs(workspace: str, data: Mapping[str, Any], step: str | None) -> Iterator[Json]:
    where = f"jobs/{data['job']}/steps/{step}" if step else f"jobs/{data['job']}"
    for name, tree in (data.get("outputs") or {}).items():
        yield _dataset(workspace, f"{where}/outputs/{name}", tree)
    for subject in (data.get("registered") or {}).values():
        yield _version(workspace, subject)


def _version(workspace: str, subject: str) -> Json:
    """`data/flights/versions/2` is version 2 of the data set `data/flights`."""
    name, _, number = subject.partition("/versions/")
    return _dataset(workspace, name, number or None)


def _dataset(workspace: str, name: str, number: str | None = None) -> Json:
    facets = _facet("version", datasetVersion=number) if number else {}
    return {"namespace": namespace(workspace), "name": name, "facets": facets}


def _distinct(datasets: Iterable[Json]) -> list[Json]:
    return list({dataset["name"]: dataset for dataset in datasets}.values())
