"""JSON Schemas of the language, for editors: completion, and what can be checked without looking at other files.

Two: Modelyard's own kinds, and the whole language. A file's ``$schema`` decides what it is checked as; one without it
may be any kind.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from modelyard_specs.kinds import CLASSES, Group, Kind
from modelyard_specs.kinds.base import any_case
from modelyard_specs.kinds.inference import GROUP_OF_SCHEMA, UNSUPPORTED_SCHEMAS

OWN_KINDS: Final[tuple[Kind, ...]] = ("trigger", "subscription")

_KINDS_OF_GROUP: Final[Mapping[Group, tuple[Kind, ...]]] = {
    "job": ("command_job", "pipeline_job", "sweep_job", "opaque_job"),
    "component": ("command_component", "pipeline_component", "parallel_component", "opaque_component"),
    "data": ("data", "data_import"),
    "schedule": ("job_schedule", "monitor_schedule", "import_schedule"),
}
_WORDS: Final = {"oneOf": "anyOf", "ge": "minimum", "le": "maximum"}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def own_schema() -> dict[str, Any]:
    """The schema of triggers and subscriptions."""
    return _schema("Modelyard's own kinds: jobs started by events, subscriptions to events", OWN_KINDS)


def language_schema() -> dict[str, Any]:
    """The schema of every kind: the Azure ML CLI v2 language, and Modelyard's own."""
    return _schema("Azure ML CLI v2 YAML as Modelyard reads it", tuple(CLASSES))


def published() -> Mapping[str, dict[str, Any]]:
    """What stands under ``contracts/specs``, by file name."""
    return {"modelyard.schema.json": own_schema(), "azureml-v2.schema.json": language_schema()}


def _schema(title: str, kinds: tuple[Kind, ...]) -> dict[str, Any]:
    _, found = models_json_schema([(CLASSES[kind], "validation") for kind in kinds], ref_template="#/$defs/{model}")
    rules = [
        {"if": _says(name), "then": _any_of(_kinds(group, kinds))}
        for name, group in sorted(GROUP_OF_SCHEMA.items())
        if _kinds(group, kinds)
    ]
    known = [*(name for name, group in GROUP_OF_SCHEMA.items() if _kinds(group, kinds)), *UNSUPPORTED_SCHEMAS]
    return {
        "$schema": _DIALECT,
        "title": title,
        "type": "object",
        "allOf": rules,
        "if": {"not": _says(*sorted(known))},
        "then": _any_of(kinds),
        "$defs": _loosened(found["$defs"]),
    }


def _kinds(group: Group, kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    of_group = _KINDS_OF_GROUP.get(group, tuple(kind for kind in CLASSES if kind == group.replace("-", "_")))
    return tuple(kind for kind in of_group if kind in kinds)


def _any_of(kinds: Iterable[Kind]) -> dict[str, Any]:
    options = [{"$ref": f"#/$defs/{CLASSES[kind].__name__}"} for kind in kinds]
    return options[0] if len(options) == 1 else {"anyOf": options}


def _says(*names: str) -> dict[str, Any]:
    """That ``$schema`` ends in one of some names, whatever stands before and in any case."""
    pattern = "|".join(any_case(name) for name in names)
    return {
        "required": ["$schema"],
        "properties": {
            "$schema": {"type": "string", "pattern": f"(^|[^A-Za-z0-9])({pattern})(\\.schema)?\\.json\\s*$"}
        },
    }


def _loosened(value: Any) -> Any:
    """``anyOf`` for ``oneOf``: the forms of a union may overlap, what tells them apart is said elsewhere. Limits that
    pydantic leaves in its own words are put into the schema's."""
    if isinstance(value, list):
        return [_loosened(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _WORDS.get(key, key) if key == "oneOf" or isinstance(item, int | float) else key: _loosened(item)
        for key, item in value.items()
        if key != "discriminator"
    }
