"""What a specification names: the versions it stands on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from modelyard_contracts.registry import AssetKind
from modelyard_specs import (
    AssetLabel,
    AssetName,
    AssetVersion,
    DatastorePath,
    Reference,
    RegistryAsset,
    parse_reference,
)
from registry.domain.assets import KINDS
from registry.domain.scopes import CURATED, registry_scope

_MODELS: Final = frozenset({"custom_model", "mlflow_model", "triton_model"})


@dataclass(frozen=True, slots=True)
class Target:
    """One version that something stands on, in the scope it lives in. Datastores have no versions: theirs is empty."""

    scope: str
    kind: AssetKind | Literal["datastores"]
    name: str
    version: str


def targets_of(spec: Any, workspace: str) -> set[Target]:
    """The exact versions, and the datastores, that a specification names. What it names by label it does not hold: a label moves."""
    return set(_targets(spec, workspace, None))


def _targets(value: Any, workspace: str, kind: AssetKind | None) -> Iterator[Target]:
    match value:
        case dict():
            path_kind: AssetKind = "models" if value.get("type") in _MODELS else "data"
            for key, inner in value.items():
                yield from _targets(inner, workspace, _kind(key, path_kind) or kind)
        case list():
            for inner in value:
                yield from _targets(inner, workspace, kind)
        case str() if value.startswith(("azureml:", "modelyard:")):
            target = _target(value, workspace, kind)
            if target is not None:
                yield target


def workspace_references(
    spec: Any, path: str = ""
) -> Iterator[tuple[str, str, AssetKind | Literal["datastores"], str]]:
    """What a specification names in its own workspace, by version or by label: where, as it is written, of which kind and name."""
    match spec:
        case dict():
            path_kind: AssetKind = "models" if spec.get("type") in _MODELS else "data"
            for key, inner in spec.items():
                here = f"{path}.{key}" if path else str(key)
                kind = _kind(key, path_kind)
                if isinstance(inner, str) and inner.startswith(("azureml:", "modelyard:")):
                    reference = _parsed(inner)
                    if isinstance(reference, DatastorePath):
                        yield here, inner, "datastores", reference.datastore
                    elif kind is not None and isinstance(reference, AssetVersion | AssetLabel | AssetName):
                        yield here, inner, kind, reference.name
                else:
                    yield from workspace_references(inner, here)
        case list():
            for place, inner in enumerate(spec):
                yield from workspace_references(inner, f"{path}[{place}]")


def _kind(key: str, path_kind: AssetKind) -> AssetKind | None:
    """The kind of what a key of the language names."""
    match key:
        case "environment":
            return "environments"
        case "component":
            return "components"
        case "model":
            return "models"
        case "path":
            return path_kind
        case _:
            return None


def _parsed(text: str) -> Reference | None:
    try:
        return parse_reference(text)
    except ValueError:
        return None


def _target(text: str, workspace: str, kind: AssetKind | None) -> Target | None:
    match _parsed(text):
        case AssetVersion(name, version) if kind is not None:
            return Target(workspace, kind, name, version)
        case RegistryAsset(registry, collection, name, str(version)) if registry != CURATED:
            return Target(registry_scope(registry), cast("AssetKind", collection), name, version)
        case DatastorePath(name):
            return Target(workspace, "datastores", name, "")
        case _:
            return None


def target_of_subject(subject: str, workspace: str) -> Target | None:
    """`models/x/versions/3`, `registries/R/models/x/versions/3` or `datastores/x`. None for what names none of these."""
    scope, parts = workspace, subject.split("/")
    if parts[0] == "registries" and len(parts) > 2:
        scope, parts = registry_scope(parts[1]), parts[2:]
    match parts:
        case [kind, name, "versions", version] if kind in KINDS and name and version:
            return Target(scope, kind, name, version)
        case ["datastores", name] if name:
            return Target(scope, "datastores", name, "")
        case _:
            return None


def target_of_model(model: str, workspace: str) -> Target | None:
    """A deployment's model: `name:version`, or `registry/name:version` of a shared one."""
    path, _, version = model.rpartition(":")
    registry, _, name = path.rpartition("/")
    return Target(registry_scope(registry) if registry else workspace, "models", name, version) if name else None
