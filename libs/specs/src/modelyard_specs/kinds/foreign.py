"""YAML that is no specification, told by its name and shape: users' folders are full of it."""

import re
from collections.abc import Mapping
from typing import Any, Final

from modelyard_specs.errors import Code


class NotInferredError(Exception):
    """The mapping is of no supported kind: ``message`` and ``code`` say why, ``expected`` what would help."""

    def __init__(self, message: str, code: Code, expected: str | None = None) -> None:
        self.message, self.code, self.expected = message, code, expected
        super().__init__(message)


_BY_KEYS: Final[tuple[tuple[frozenset[str], str], ...]] = tuple(
    (frozenset(keys.split()), name)
    for keys, name in (
        ("python dependencies", "an MLflow python_env"),
        ("channels dependencies", "a conda environment"),
        ("name dependencies", "a conda environment"),
        ("flavors", "an MLflow model description (MLmodel)"),
        ("artifact_path run_id", "an MLflow model description (MLmodel)"),
        ("paths transformations", "an MLTable"),
        ("paths type", "an MLTable"),
        ("apiVersion kind", "a Kubernetes manifest"),
        ("on jobs", "a GitHub workflow"),
        ("runs description", "a GitHub action"),
        ("trigger stages", "an Azure pipeline"),
        ("trigger pool", "an Azure pipeline"),
        ("steps pool", "an Azure pipeline"),
        ("services version", "a Docker compose file"),
        ("services networks", "a Docker compose file"),
        ("repos", "a pre-commit configuration"),
        ("entry_points name", "an MLflow project"),
        ("openapi info", "an OpenAPI description"),
        ("swagger info", "an OpenAPI description"),
        ("inputs nodes", "a prompt flow"),
        ("input_data", "a sample of a request"),
        ("instances", "a sample of a request"),
        ("inputs outputs", "a list of inputs"),
        ("inputs", "a list of inputs"),
    )
)
_REQUEST_KEYS: Final = frozenset({"inputs", "outputs"})


def not_a_spec(value: Mapping[str, Any], file_name: str) -> NotInferredError:
    """What a mapping without a kind is: ``other`` and named, or ``invalid`` when nothing fits."""
    found = name_foreign(value, file_name)
    if found is not None:
        return NotInferredError(f"this is {found}, not a specification", "other")
    return NotInferredError("the kind cannot be told", "invalid", "`$schema` or `type`")


def name_foreign(value: object, file_name: str) -> str | None:
    """In words what a YAML value is that is no specification; None when nothing fits."""
    if isinstance(value, list):
        return "a list"
    if not isinstance(value, Mapping):
        return "text" if isinstance(value, str) else "a single value"
    if file_name == "MLTable":
        return "an MLTable"
    if re.match(r"(docker-)?compose\b", file_name):
        return "a Docker compose file"
    services = [service for service in _values(value.get("services")) if isinstance(service, Mapping)]
    if any({"image", "build", "ports"} & service.keys() for service in services):
        return "a Docker compose file"
    if is_workflow(value):
        return "a GitHub workflow"
    for keys, name in _BY_KEYS:
        if keys <= value.keys() and (not keys <= _REQUEST_KEYS or value.keys() <= _REQUEST_KEYS):
            return name
    return None


def is_workflow(value: Mapping[str, Any]) -> bool:
    """Whether it is a GitHub workflow: it has `jobs`, as a pipeline has, but they say what they run on."""
    jobs = [job for job in _values(value.get("jobs")) if isinstance(job, Mapping)]
    return any({"runs-on", "uses"} & job.keys() for job in jobs)


def _values(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else []
