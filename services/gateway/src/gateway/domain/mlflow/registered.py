"""Registered models and their versions: the registry's documents in MLflow's words. Source: mlflow/protos/model_registry.proto."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.domain.mlflow.addresses import version_uri
from gateway.domain.mlflow.filters import Attribute, Condition, Grammar
from gateway.domain.mlflow.tracking import known, milliseconds, pairs
from modelyard_platform.errors import InvalidError

MODELS: Final = Grammar(
    {
        "name": Attribute("name"),
        "creation_timestamp": Attribute("creation_timestamp", numeric=True),
        "last_updated_timestamp": Attribute("last_updated_timestamp", numeric=True),
        "timestamp": Attribute("last_updated_timestamp", numeric=True),
    }
)
VERSIONS: Final = Grammar(
    {
        "name": Attribute("name"),
        "run_id": Attribute("run_id"),
        "source_path": Attribute("source"),
        "version_number": Attribute("version_number", numeric=True),
        "creation_timestamp": Attribute("creation_timestamp", numeric=True),
        "last_updated_timestamp": Attribute("last_updated_timestamp", numeric=True),
    }
)

RUN: Final = "mlflow.run_id"
SOURCE: Final = "mlflow.source"
RUN_LINK: Final = "mlflow.run_link"
MODEL: Final = "mlflow.model_id"
"""Properties of a version that was registered by an MLflow client."""

NO_STAGE: Final = "None"
STAGES: Final = (NO_STAGE, "Staging", "Production", "Archived")
ACTIVE_STAGES: Final = ("Staging", "Production")

_WILD: Final = frozenset("*?")
_WILD_LIKE: Final = frozenset("*?_")

PROMPT: Final = "mlflow.prompt.is_prompt"
"""The tag by which clients know a prompt from a model."""


def check_stage(stage: str) -> str:
    """A stage as MLflow spells it. Raises InvalidError."""
    for one in STAGES:
        if one.lower() == stage.lower():
            return one
    raise InvalidError(f"there is no stage {stage!r}; there are {', '.join(STAGES)}", path="stage")


def stage_of(document: Mapping[str, Any]) -> str:
    """A version's stage; one that is not MLflow's is shown as it is."""
    return document["stage"] or NO_STAGE


def version(document: Mapping[str, Any]) -> dict[str, Any]:
    """A `ModelVersion`."""
    name, number, properties = document["name"], document["version"], document["properties"]
    created = milliseconds(document["created_at"])
    message = {
        "name": name,
        "version": number,
        "creation_timestamp": created,
        "last_updated_timestamp": milliseconds(document.get("updated_at")) or created,
        "user_id": document["created_by"],
        "current_stage": stage_of(document),
        "description": document["description"],
        "source": properties.get(SOURCE) or version_uri(name, number),
        "run_id": properties.get(RUN),
        "run_link": properties.get(RUN_LINK),
        "model_id": properties.get(MODEL),
        "status": "READY",
        "tags": pairs(document["tags"]),
        "aliases": document["aliases"],
    }
    return known(message)


def model(document: Mapping[str, Any], versions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A `RegisteredModel` with the newest version of each stage. `versions` are newest first."""
    shown = list(versions)
    return {
        "name": document["name"],
        "creation_timestamp": milliseconds(document["created_at"]),
        "last_updated_timestamp": milliseconds(document["updated_at"]),
        "user_id": document["created_by"],
        "description": document["description"],
        "latest_versions": [version(one) for one in latest(shown, STAGES)],
        "tags": pairs(document["tags"]),
        "aliases": [{"alias": alias, "version": one["version"]} for one in shown for alias in sorted(one["aliases"])],
    }


def latest(versions: Iterable[Mapping[str, Any]], stages: Iterable[str]) -> list[Mapping[str, Any]]:
    """The newest version in each of these stages. `versions` are newest first."""
    wanted, found = set(stages), dict[str, Mapping[str, Any]]()
    for one in versions:
        stage = stage_of(one)
        if stage in wanted:
            found.setdefault(stage, one)
    return list(found.values())


def version_value(document: Mapping[str, Any], field: str, key: str) -> str | float | None:
    """What a condition or order on versions looks at."""
    if field == "tag":
        value: str | None = document["tags"].get(key)
        return value
    if key == "version_number":
        return float(document["version"]) if document["version"].isdigit() else None
    return _attribute(version(document), key)


def model_value(document: Mapping[str, Any], field: str, key: str) -> str | float | None:
    """What a condition or order on registered models looks at."""
    if field == "tag":
        value: str | None = document["tags"].get(key)
        return value
    return _attribute(model(document, ()), key)


def _attribute(document: Mapping[str, Any], key: str) -> str | float | None:
    value: str | float | None = document.get(key)
    return value


def without_prompts(conditions: Iterable[Condition]) -> list[Condition]:
    """Clients of MLflow 3 add to a search of models that it is to find no prompts: there are none."""
    return [
        one
        for one in conditions
        if (one.field, one.key) != ("tag", PROMPT) or (one.op, one.value) not in (("!=", "true"), ("=", "false"))
    ]


def search_words(conditions: Iterable[Condition]) -> str:
    """What the registry's own search finds of it, so that little is left to be looked at here: names by pattern, tags by value."""
    words = []
    for one in conditions:
        match one:
            case Condition("attribute", "name", "=", str(name)) if not set(name) & _WILD:
                words.append(f"name:{name}")
            case Condition("attribute", "name", "like", str(pattern)) if not set(pattern) & _WILD_LIKE:
                words.append(f"name:{pattern.replace('%', '*')}")
            case Condition("attribute", "run_id", "=", str(run)):
                words.append(f"property:{RUN}={run}")
            case Condition("tag", key, "=", str(value)):
                words.append(f"tag:{key}={value}")
    return shlex.join(words)
