"""Environment specifications: a mapping, or a reference to one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from builder.domain.conda import read_conda
from builder.domain.curated import curated, curated_names, of_image
from builder.domain.requirements import Requirements, normalised
from builder.errors import EnvironmentInvalidError
from modelyard_specs import AssetLabel, AssetName, AssetVersion, LocalPath, RegistryAsset, parse_reference

_DIGEST: Final = re.compile(r"^[0-9a-f]{64}$")
_CURATED: Final = "azureml"
"""The registry of the curated environments, which is none of ours."""
_KEYS: Final = frozenset({"conda_file", "requirements", "python", "image", "build"})
_DESCRIPTIVE: Final = frozenset(
    {"$schema", "name", "version", "description", "tags", "properties", "display_name", "os_type", "inference_config", "datastore",
     "auto_delete_setting", "type", "environment_variables"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LockDigest:
    """A lock that exists."""

    digest: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A version of the registry's, of the workspace or of the shared `registry`; `version` begins with `@` when it is a label."""

    name: str
    version: str
    registry: str | None = None


Wanted: TypeAlias = Requirements | LockDigest | Registered


def read_spec(spec: str | dict[str, Any], default_python: str) -> Wanted:
    """What a specification asks for. Raises EnvironmentInvalidError."""
    return _reference(spec, default_python) if isinstance(spec, str) else _mapping(spec, default_python)


def _mapping(spec: dict[str, Any], default_python: str) -> Requirements:
    unknown = set(spec) - _KEYS - _DESCRIPTIVE
    if unknown:
        raise EnvironmentInvalidError(
            f"an environment has no key {min(unknown)!r}; it has {', '.join(sorted(_KEYS))}",
            path=min(unknown),
        )
    conda, lines, image = spec.get("conda_file"), spec.get("requirements"), spec.get("image")
    python = str(spec.get("python") or default_python)
    if conda is not None and lines is not None:
        raise EnvironmentInvalidError("give conda_file or requirements, not both", path="requirements")
    if isinstance(conda, dict):
        return read_conda(conda, python)
    if conda is not None:
        raise EnvironmentInvalidError(
            "conda_file is the file's content, as a mapping; the client puts it in place of a path", path="conda_file"
        )
    if lines is not None:
        if isinstance(lines, str):
            lines = lines.splitlines()
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise EnvironmentInvalidError("requirements is a list of lines such as numpy~=1.26", path="requirements")
        return Requirements(python, normalised(lines))
    if spec.get("build") is not None:
        raise EnvironmentInvalidError(
            "build: a Docker build context needs a container; give the Python packages as conda_file", path="build"
        )
    if isinstance(image, str):
        return of_image(image, python)
    if spec.get("python") is not None:
        return Requirements(python, ())
    raise EnvironmentInvalidError("an environment needs conda_file, requirements or image", path="conda_file")


def _reference(text: str, default_python: str) -> Wanted:
    if _DIGEST.match(text):
        return LockDigest(text)
    try:
        found = parse_reference(text)
    except ValueError as error:
        raise EnvironmentInvalidError(str(error), path="spec") from error
    match found:
        case RegistryAsset(registry, "environments", name, version, label) if registry != _CURATED:
            return Registered(name, version or f"@{label or 'latest'}", registry)
        case RegistryAsset(collection="environments", name=name):
            known = curated(name, default_python)
            if known is None:
                raise EnvironmentInvalidError(
                    f"{text}: no environment of our own stands for the curated {name!r}; known are {', '.join(curated_names())}. "
                    "Give its packages as conda_file",
                    path="spec",
                )
            return known
        case AssetVersion(name=name, version=version):
            return Registered(name, version) if not _is_curated(name) else _known(name, default_python)
        case AssetLabel(name=name, label=label):
            return Registered(name, f"@{label}") if not _is_curated(name) else _known(name, default_python)
        case AssetName(name=name):
            return Registered(name, "@latest") if not _is_curated(name) else _known(name, default_python)
        case LocalPath(path=path) if curated(path.partition("@")[0], default_python) is not None:
            return _known(path.partition("@")[0], default_python)
        case _:
            raise EnvironmentInvalidError(
                f"{text!r} is no environment: azureml:NAME:VERSION, azureml:NAME@LABEL, azureml://registries/REGISTRY/environments/NAME "
                "or the digest of a lock",
                path="spec",
            )


def _is_curated(name: str) -> bool:
    return name.lower().startswith("azureml-")


def _known(name: str, default_python: str) -> Requirements:
    found = curated(name, default_python)
    if found is None:
        raise EnvironmentInvalidError(
            f"no environment of our own stands for the curated {name!r}; known are {', '.join(curated_names())}",
            path="spec",
        )
    return found
