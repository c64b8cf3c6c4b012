"""From a CLI v2 specification to a version about to be registered."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

from modelyard_contracts.registry import AssetKind
from modelyard_platform import trees
from modelyard_platform.specs import load_spec
from modelyard_specs import Group
from registry.domain.assets import ANONYMOUS, NewVersion, check_name, check_tags, check_text
from registry.errors import InvalidError

_GROUPS: Final[dict[AssetKind, Group]] = {
    "models": "model",
    "data": "data",
    "environments": "environment",
    "components": "component",
}


_TREE: Final = re.compile(rf"{trees.SCHEME}[0-9a-f]{{64}}")
_SAID: Final = frozenset({"$schema", "version", "description", "display_name", "tags", "properties", "stage"})
"""Keys that say something about an asset and are no part of its content."""


def read_spec(
    kind: AssetKind, spec: dict[str, Any], *, job: str | None, environment: str | None, sample: str | None
) -> tuple[NewVersion, str | None]:
    """The new version and the path of its files. Raises InvalidError with the key path of what is wrong."""
    document = load_spec(spec, _GROUPS[kind])
    checked = document.spec()
    if kind == "data" and str(spec.get("path")).startswith("file://"):  # a file of this side, to stay where it is
        checked["path"] = spec["path"]
    check_text(checked)
    for what, value in (("job", job), ("environment", environment), ("sample", sample)):
        check_text(value, what)
    name, version = checked.get("name"), checked.get("version")
    if not name:
        name, version = ANONYMOUS, _content_digest(checked, environment, sample)
    elif name == ANONYMOUS:
        raise InvalidError(f"{ANONYMOUS!r} is kept for what is registered without a name", path="name")
    new = NewVersion(
        kind=kind,
        name=check_name(name),
        version=check_name(str(version), "version") if version is not None else None,
        type=checked.get("type"),
        description=checked.get("description") or "",
        tags=check_tags({key: str(value) for key, value in (checked.get("tags") or {}).items()}),
        properties=check_tags(
            {key: str(value) for key, value in (checked.get("properties") or {}).items()}, "properties"
        ),
        stage=checked.get("stage"),
        tree=None,
        size=0,
        spec=checked,
        job=job,
        environment=environment,
        sample=sample,
    )
    path = checked.get("path")
    if kind in ("components", "environments"):
        path = _own_files(checked)
    if isinstance(path, str) and not path.startswith(
        ("modelyard://", "azureml://", "http://", "https://", "wasbs://", "abfss://", "s3://", "file://")
    ):
        raise InvalidError(
            f"path {path!r} is a path on the client's machine: upload it as a tree first, or give an address",
            path="path",
        )
    return new, path


def _own_files(spec: dict[str, Any]) -> str | None:
    """What a component or an environment brings along: its code, its build context. Other addresses are only names."""
    path = spec.get("code") or (spec.get("build") or {}).get("path")
    return path if isinstance(path, str) and _TREE.fullmatch(path) else None


def _content_digest(spec: dict[str, Any], environment: str | None, sample: str | None) -> str:
    """What an anonymous version is called: the same for the same content, whatever is said about it."""
    content = {key: value for key, value in spec.items() if key not in _SAID}
    canonical = json.dumps([content, environment, sample], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
