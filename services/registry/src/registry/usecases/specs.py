"""From a CLI v2 specification to a version about to be registered."""

from __future__ import annotations

from typing import Any, Final

from modelyard_contracts.registry import AssetKind
from modelyard_platform.specs import load_spec
from modelyard_specs import Group
from registry.domain.assets import NewVersion, check_name
from registry.errors import InvalidError

_GROUPS: Final[dict[AssetKind, Group]] = {
    "models": "model",
    "data": "data",
    "environments": "environment",
    "components": "component",
}


def read_spec(
    kind: AssetKind, spec: dict[str, Any], *, job: str | None, environment: str | None, sample: str | None
) -> tuple[NewVersion, str | None]:
    """The new version and the path of its files. Raises InvalidError with the key path of what is wrong."""
    document = load_spec(spec, _GROUPS[kind])
    checked = document.spec()
    name = checked.get("name")
    if not name:
        raise InvalidError("`name` is missing: every asset has one", path="name")
    version = checked.get("version")
    new = NewVersion(
        kind=kind,
        name=check_name(name),
        version=check_name(str(version), "version") if version is not None else None,
        type=checked.get("type"),
        description=checked.get("description") or "",
        tags={key: str(value) for key, value in (checked.get("tags") or {}).items()},
        properties={key: str(value) for key, value in (checked.get("properties") or {}).items()},
        stage=checked.get("stage"),
        tree=None,
        size=0,
        spec=checked,
        job=job,
        environment=environment,
        sample=sample,
    )
    path = checked.get("path")
    if isinstance(path, str) and not path.startswith(
        ("modelyard://", "azureml://", "http://", "https://", "wasbs://", "abfss://", "s3://")
    ):
        raise InvalidError(
            f"path {path!r} is a path on the client's machine: upload it as a tree first, or give an address",
            path="path",
        )
    return new, path
