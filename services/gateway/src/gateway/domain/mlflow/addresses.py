"""Where files are, in MLflow's addresses.

`mlflow-artifacts:/PATH` is a file or folder behind this gateway. Below `registered-models/NAME/VERSION` lie the files of registered
versions, which never change; every other path is an artifact of a run or a logged model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, assert_never
from urllib.parse import SplitResult, unquote, urlsplit

from modelyard_platform.errors import InvalidError

SCHEME: Final = "mlflow-artifacts"
PROXY: Final = "/api/2.0/mlflow-artifacts/artifacts"
REGISTERED: Final = "registered-models"

_OUTSIDE: Final = frozenset(("http", "https", "s3", "wasbs", "abfss"))
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ArtifactPath:
    """What lies at, or under, a path behind this gateway."""

    path: str


@dataclass(frozen=True, slots=True)
class RunPath:
    """A path below a run's artifacts."""

    run: str
    path: str


@dataclass(frozen=True, slots=True)
class LoggedModelPath:
    """A logged model."""

    model: str


@dataclass(frozen=True, slots=True)
class VersionPath:
    """The files of a registered version, by number or `@alias`, or those below `path`."""

    name: str
    version: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Outside:
    """Somewhere this gateway does not read: only the address is kept."""

    url: str


Source = ArtifactPath | RunPath | LoggedModelPath | VersionPath | Outside


def parse_source(source: str) -> Source:
    """What a version is made of. Raises InvalidError for an address that nobody here can follow."""
    parsed = _split(source, "source")
    path = parsed.path.strip("/")
    match parsed.scheme:
        case "runs" if path:
            run, _, below = path.partition("/")
            return RunPath(run, below)
        case "models" if _MODEL_ID.fullmatch(path):
            return LoggedModelPath(path)
        case "models" if "@" in path or "/" in path:
            name, at, alias = path.partition("@")
            if at:
                return VersionPath(name, f"@{alias}")
            name, _, version = path.partition("/")
            return VersionPath(name, version)
        case "mlflow-artifacts":
            return artifact_path(path)
        case "http" | "https" if PROXY in parsed.path:
            return artifact_path(unquote(parsed.path.partition(PROXY)[2]).strip("/"))
        case scheme if scheme in _OUTSIDE:
            return Outside(source)
    raise InvalidError(
        f"the source {source[:200]!r} cannot be read from here; use runs:/RUN/PATH, models:/NAME/VERSION, models:/MODEL_ID, "
        f"{SCHEME}:/PATH, or an address that begins with {', '.join(sorted(_OUTSIDE))}",
        path="source",
    )


def _split(address: str, path: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError as error:
        raise InvalidError(f"{address[:200]!r} is no address: {error}", path=path) from error


def artifact_path(path: str) -> ArtifactPath | VersionPath:
    """What a path behind the artifacts' proxy names."""
    first, _, rest = path.strip("/").partition("/")
    if first != REGISTERED:
        return ArtifactPath(path.strip("/"))
    name, _, rest = rest.partition("/")
    version, _, below = rest.partition("/")
    if not name or not version:
        raise InvalidError(f"{path[:200]!r} is not {REGISTERED}/NAME/VERSION/…", path="path")
    return VersionPath(name, version, below)


def artifact_uri(path: str) -> str:
    """The address of what the scheduler calls a run's or model's `artifacts`."""
    return path if _ADDRESS.match(path) else f"{SCHEME}:/{path}"


def version_uri(name: str, version: str) -> str:
    """The address of a registered version's files."""
    return f"{SCHEME}:/{REGISTERED}/{name}/{version}"


def experiment_location(location: str | None) -> str | None:
    """Where an experiment's runs are to put their artifacts, as the scheduler keeps it. Raises InvalidError."""
    if not location:
        return None
    parsed = _split(location, "artifact_location")
    if parsed.scheme == SCHEME:
        match artifact_path(parsed.path):
            case ArtifactPath(path):
                return path or None
            case VersionPath():
                raise InvalidError(f"{location!r} is where registered versions are", path="artifact_location")
            case other:
                assert_never(other)
    if parsed.scheme not in _OUTSIDE | {"gs", "hdfs", "dbfs"}:
        raise InvalidError(
            f"artifact_location {location[:200]!r} cannot be reached by others; leave it out to keep artifacts here",
            path="artifact_location",
        )
    return location.rstrip("/")
