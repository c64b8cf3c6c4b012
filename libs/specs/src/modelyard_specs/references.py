"""References to what stands elsewhere: ``azureml:name:version``, ``azureml://…``, ``https://…``, ``./path``.

``modelyard:`` is an alias of ``azureml:``. ``str(parse_reference(text))`` is the canonical text and parses to an equal
reference. A bare word is a local path, as in the original; where a field names a compute, a bare word is its name.
"""

import re
from dataclasses import dataclass

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}"
_VERSION = r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}"
_ASSET = re.compile(rf"(?P<name>{_NAME})(?:[:](?P<version>{_VERSION})|@(?P<label>{_NAME}))?")
_REGISTRY = re.compile(
    rf"registries/(?P<registry>{_NAME})/(?P<collection>environments|models|components|data)/(?P<name>{_NAME})"
    rf"(?:/versions/(?P<version>{_VERSION})|/labels/(?P<label>{_NAME}))?"
)
_DATASTORE = re.compile(rf"(?:.+/)?datastores/(?P<datastore>{_NAME})/paths/(?P<path>.*)", re.DOTALL)
_JOB_OUTPUT = re.compile(rf"jobs/(?P<job>{_NAME})/outputs/(?P<output>{_NAME})(?:/paths/?(?P<path>.*))?", re.DOTALL)
_TREE = re.compile(r"trees/(?P<digest>[0-9a-f]{64})(?:/(?P<path>.+))?", re.DOTALL)
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<rest>.*)", re.DOTALL)
_REMOTE_SCHEMES = frozenset(
    {"http", "https", "s3", "wasb", "wasbs", "abfs", "abfss", "adl", "gs", "hdfs", "git+https", "git+ssh", "git", "ftp"}
)


@dataclass(frozen=True, slots=True)
class AssetVersion:
    """``azureml:name:version``."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"azureml:{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class AssetLabel:
    """``azureml:name@label``: ``latest`` or an alias."""

    name: str
    label: str

    def __str__(self) -> str:
        return f"azureml:{self.name}@{self.label}"


@dataclass(frozen=True, slots=True)
class AssetName:
    """``azureml:name``: a compute or a datastore, or an asset whose version is not said."""

    name: str

    def __str__(self) -> str:
        return f"azureml:{self.name}"


@dataclass(frozen=True, slots=True)
class CloudResource:
    """``azureml:/subscriptions/…``: a resource by its id in the original cloud. Nothing here can follow it."""

    path: str

    def __str__(self) -> str:
        return f"azureml:{self.path}"


@dataclass(frozen=True, slots=True)
class RegistryAsset:
    """``azureml://registries/R/models/N/versions/V`` (or ``labels/L``, or neither)."""

    registry: str
    collection: str
    name: str
    version: str | None = None
    label: str | None = None

    def __str__(self) -> str:
        text = f"azureml://registries/{self.registry}/{self.collection}/{self.name}"
        if self.version is not None:
            return f"{text}/versions/{self.version}"
        return f"{text}/labels/{self.label}" if self.label is not None else text


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """``azureml://datastores/D/paths/P``; the long form with subscription and workspace is shortened to it."""

    datastore: str
    path: str

    def __str__(self) -> str:
        return f"azureml://datastores/{self.datastore}/paths/{self.path}"


@dataclass(frozen=True, slots=True)
class JobOutput:
    """``azureml://jobs/J/outputs/O`` with or without ``/paths/P``."""

    job: str
    output: str
    path: str = ""

    def __str__(self) -> str:
        return f"azureml://jobs/{self.job}/outputs/{self.output}" + (f"/paths/{self.path}" if self.path else "")


@dataclass(frozen=True, slots=True)
class TreeReference:
    """``modelyard://trees/<sha256>``: files that have left the client; with or without a path inside them."""

    digest: str
    path: str = ""

    def __str__(self) -> str:
        return f"modelyard://trees/{self.digest}" + (f"/{self.path}" if self.path else "")


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """A file or folder behind a URL: https, s3, wasbs, abfss, …"""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A path relative to the file that names it (``./src``, ``file:./train.yml``), or an absolute one."""

    path: str

    def __str__(self) -> str:
        return f"file:{self.path}" if _SCHEME.fullmatch(self.path) else self.path


@dataclass(frozen=True, slots=True)
class Templated:
    """A reference that holds expressions: ``${{parent.inputs.data}}``; known only when they are bound."""

    text: str

    def __str__(self) -> str:
        return self.text


Reference = (
    AssetVersion
    | AssetLabel
    | AssetName
    | CloudResource
    | RegistryAsset
    | DatastorePath
    | JobOutput
    | TreeReference
    | RemoteUrl
    | LocalPath
    | Templated
)


def parse_reference(text: str) -> Reference:
    """Parse a reference; raises ValueError with what was expected."""
    if not text or text.isspace() or "\0" in text:
        raise ValueError("a reference cannot be empty")
    if "${{" in text:
        return Templated(text)
    scheme = _SCHEME.fullmatch(text)
    if scheme is None:
        return LocalPath(text)
    name, rest = scheme["scheme"].lower(), scheme["rest"]
    if name in {"azureml", "modelyard"}:
        return _asset_uri(text, rest[2:]) if rest.startswith("//") else _asset(text, rest)
    if name == "file":
        if not rest.removeprefix("//").strip():
            raise ValueError(f"`{text}` names no file")
        return LocalPath(rest.removeprefix("//"))
    if name in _REMOTE_SCHEMES and rest.startswith("//"):
        return RemoteUrl(text)
    raise ValueError(
        f"`{text}` is no reference: azureml:NAME:VERSION, azureml:NAME@LABEL, azureml://…, https://… or a path"
    )


def _asset(text: str, rest: str) -> Reference:
    if rest.startswith("/subscriptions/"):
        return CloudResource(rest)
    found = _ASSET.fullmatch(rest)
    if found is None:
        raise ValueError(f"`{text}` is no asset: azureml:NAME:VERSION or azureml:NAME@LABEL")
    if found["version"] is not None:
        return AssetVersion(found["name"], found["version"])
    if found["label"] is not None:
        return AssetLabel(found["name"], found["label"])
    return AssetName(found["name"])


def _asset_uri(text: str, rest: str) -> Reference:
    if found := _TREE.fullmatch(rest):
        return TreeReference(found["digest"], found["path"] or "")
    if found := _REGISTRY.fullmatch(rest):
        return RegistryAsset(**found.groupdict())
    if found := _DATASTORE.fullmatch(rest):
        return DatastorePath(found["datastore"], found["path"])
    if found := _JOB_OUTPUT.fullmatch(rest):
        return JobOutput(found["job"], found["output"], found["path"] or "")
    raise ValueError(
        f"`{text}` is no asset URI: azureml://datastores/NAME/paths/PATH, azureml://jobs/NAME/outputs/NAME/paths/PATH "
        "or azureml://registries/NAME/COLLECTION/NAME/versions/VERSION"
    )
