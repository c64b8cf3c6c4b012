"""When a trigger fires, and what it submits then."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from modelyard_contracts import Event, short_type
from modelyard_specs import EventAttribute, find_expressions, lookup, render, sole_expression
from modelyard_specs.kinds.automation import EventCondition, Trigger

MAX_FIRINGS_PER_STORY: Final = 10
"""So often one trigger may fire for events of one correlation: a job whose own events fire its trigger comes to an end."""


@dataclass(frozen=True, slots=True)
class Fires:
    """A job is to be submitted."""


@dataclass(frozen=True, slots=True)
class Passes:
    """Not this event, or not now."""

    reason: str


Decision = Fires | Passes


def decide(trigger: Trigger, event: Event[Any], *, now: datetime, last_fired_at: datetime | None) -> Decision:
    """Whether an event fires a trigger. An event within the cooldown passes: that is what a cooldown is for."""
    if not trigger.enabled:
        return Passes("disabled")
    if not matches(trigger.on, event):
        return Passes("no match")
    if last_fired_at is not None and now < last_fired_at + timedelta(seconds=trigger.cooldown):
        return Passes("cooling down")
    return Fires()


def matches(condition: EventCondition, event: Event[Any]) -> bool:
    """Whether type, subject (a glob) and data (dotted paths that must be equal) fit."""
    if short_type(event.type) != condition.type:
        return False
    if condition.filter.subject is not None and not fnmatchcase(event.subject, condition.filter.subject):
        return False
    document = document_of(event)
    return all(
        lookup(EventAttribute(("data", *path.split("."))), document) == wanted
        for path, wanted in condition.filter.data.items()
    )


def document_of(event: Event[Any]) -> dict[str, Any]:
    """The event as `${{event.…}}` sees it."""
    document: dict[str, Any] = event.model_dump(mode="json")
    return document


def job_spec(trigger: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """The job to submit: `create_job` with the trigger's inputs over it, `${{event.…}}` filled in.

    Its name is left out: a trigger fires more than once. Raises ValueError, naming the expression, when the event has no
    such value.
    """
    created = copy.deepcopy(dict(trigger["create_job"]))
    if "job" in created:
        over, spec = created, dict(created["job"])
        spec |= {
            key: value for key, value in over.items() if key not in ("job", "type", "inputs", "outputs", "settings")
        }
        for key in ("inputs", "outputs", "settings"):
            if over.get(key):
                spec[key] = {**(spec.get(key) or {}), **over[key]}
    else:
        spec = created
    spec.pop("name", None)
    inputs = dict(spec.get("inputs") or {})
    for name, given in (trigger.get("inputs") or {}).items():
        inputs[name] = _input(inputs.get(name), fill_in(given, event))
    spec["inputs"] = inputs
    return spec


def _input(declared: Any, given: Any) -> Any:
    """A text for an input that takes files is where they are."""
    if isinstance(declared, dict) and "path" in declared and isinstance(given, str):
        return {**declared, "path": given}
    if isinstance(declared, dict) and not isinstance(given, dict):
        return {**{key: value for key, value in declared.items() if key != "path"}, "value": given}
    return given


def fill_in(value: Any, event: Mapping[str, Any]) -> Any:
    """`${{event.…}}` replaced: alone it keeps its type, within text it becomes text. Raises ValueError for a value the event lacks."""
    match value:
        case str():
            sole = sole_expression(value)
            if isinstance(sole, EventAttribute):
                return _require(sole, event)
            bindings = {str(e): _require(e, event) for e in find_expressions(value) if isinstance(e, EventAttribute)}
            return render(value, bindings) if bindings else value
        case dict():
            return {key: fill_in(item, event) for key, item in value.items()}
        case list():
            return [fill_in(item, event) for item in value]
        case _:
            return value


def _require(expression: EventAttribute, event: Mapping[str, Any]) -> Any:
    found = lookup(expression, event)
    if found is None:
        raise ValueError(f"the event {event.get('type')} has no value for ${{{{{expression}}}}}")
    return found
