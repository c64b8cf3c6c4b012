"""The job that a trigger or a schedule submits."""

from collections.abc import Mapping
from typing import Any, Final

from modelyard_specs.documents import Document
from modelyard_specs.errors import SpecError
from modelyard_specs.expressions import EventAttribute, UnboundError, find_expressions, lookup, render, sole_expression

_MERGED: Final = ("inputs", "outputs", "tags", "properties", "settings")


def created_job(document: Document, *, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The specification to submit, for ``load_mapping(…, group="job")``: the job, with what stands beside ``job:`` and
    then the trigger's ``inputs`` over it. ``event`` is the CloudEvent that fired the trigger, as a mapping: an input
    that is one ``${{event.…}}`` gets the event's value as it is, others are rendered as text.

    ``document`` is a trigger or a job schedule that was localised. Raises ValueError for anything else, SpecError for
    a job that is only named, UnboundError when the event has no such value.
    """
    if document.kind not in {"trigger", "job_schedule"}:
        raise ValueError(f"a {document.kind} creates no job")
    spec = document.spec()
    created = spec["create_job"]
    changes: dict[str, Any] = {}
    if isinstance(created, dict) and "job" in created:
        changes = {key: value for key, value in created.items() if key not in {"job", "type"}}
        created = created["job"]
    if isinstance(created, str):
        problem = document.problem(("create_job",), f"the job `{created}` is named, not given", code="unsupported")
        raise SpecError([problem])
    job = dict(created)
    for key, value in changes.items():
        job[key] = {**job.get(key, {}), **value} if key in _MERGED else value
    given = spec.get("inputs", {}) if document.kind == "trigger" else {}
    if given:
        job["inputs"] = {**job.get("inputs", {}), **{name: _bound(value, event or {}) for name, value in given.items()}}
    return job


def _bound(value: Any, event: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _bound(item, event) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    sole = sole_expression(value)
    if isinstance(sole, EventAttribute):
        found = lookup(sole, event)
        if found is None:
            raise UnboundError((sole,))
        return found
    expressions = [e for e in find_expressions(value) if isinstance(e, EventAttribute)]
    return render(value, {str(e): lookup(e, event) for e in expressions})
