"""Run events as the official client's own classes hold them."""

from __future__ import annotations

from typing import Any, Final

import attr
from openlineage.client import event_v2
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    parent_run,
    processing_engine_run,
    source_code_location_job,
    tags_run,
)


def rebuilt(document: dict[str, Any]) -> event_v2.RunEvent:
    """The event as the client's classes hold it: each validates its fields, and knows no others."""
    return event_v2.RunEvent(
        eventTime=document["eventTime"],
        producer=document["producer"],
        eventType=event_v2.RunState(document["eventType"]),
        run=event_v2.Run(
            runId=document["run"]["runId"],
            facets={name: _facet(RUN_FACETS[name], facet) for name, facet in document["run"]["facets"].items()},
        ),
        job=event_v2.Job(
            namespace=document["job"]["namespace"],
            name=document["job"]["name"],
            facets={name: _facet(JOB_FACETS[name], facet) for name, facet in document["job"]["facets"].items()},
        ),
        inputs=[_dataset(event_v2.InputDataset, one) for one in document["inputs"]],
        outputs=[_dataset(event_v2.OutputDataset, one) for one in document["outputs"]],
    )


RUN_FACETS: Final[dict[str, Any]] = {
    "parent": parent_run.ParentRunFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "tags": tags_run.TagsRunFacet,
}
JOB_FACETS: Final[dict[str, Any]] = {
    "jobType": job_type_job.JobTypeJobFacet,
    "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet,
}
NESTED: Final[dict[tuple[Any, str], Any]] = {
    (parent_run.ParentRunFacet, "run"): parent_run.Run,
    (parent_run.ParentRunFacet, "job"): parent_run.Job,
    (parent_run.ParentRunFacet, "root"): parent_run.Root,
    (parent_run.Root, "run"): parent_run.RootRun,
    (parent_run.Root, "job"): parent_run.RootJob,
    (tags_run.TagsRunFacet, "tags"): tags_run.TagsRunFacetFields,
}


def _facet(of: Any, document: dict[str, Any]) -> Any:
    fields = dict(document)
    producer, schema = fields.pop("_producer"), fields.pop("_schemaURL")
    made = _nested(of, fields | {"producer": producer})
    assert made._schemaURL == schema, "the version of the facet that the client knows"
    return made


def _nested(of: Any, fields: dict[str, Any]) -> Any:
    def value(name: str, given: Any) -> Any:
        inner = NESTED.get((of, name))
        if inner is None:
            return given
        return [_nested(inner, one) for one in given] if isinstance(given, list) else _nested(inner, given)

    assert attr.has(of)
    return of(**{name: value(name, given) for name, given in fields.items()})


def _dataset(of: Any, document: dict[str, Any]) -> Any:
    facets = {
        name: _facet({"version": dataset_version_dataset.DatasetVersionDatasetFacet}[name], facet)
        for name, facet in document["facets"].items()
    }
    return of(namespace=document["namespace"], name=document["name"], facets=facets)
