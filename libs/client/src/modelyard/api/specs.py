"""From a YAML file or a mapping to what is sent: checked, its files uploaded."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.api.http import Http, Json, log
from modelyard.errors import ModelyardError

if TYPE_CHECKING:  # the language, and hashing and sending files, are not paid for by those who need neither
    from modelyard.api.trees import Trees
    from modelyard_specs import Document, Group, KeyPath

SpecLike = str | os.PathLike[str] | Mapping[str, Any]
"""A YAML file's path, or the specification itself; local paths in a mapping are relative to the working directory."""

_JOBS: Final = frozenset({"command_job", "pipeline_job", "sweep_job", "opaque_job"})
_KEY_PATH = re.compile(r"[^.\[\]]+|\[\d+\]")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A specification that can be sent, and the document it came from."""

    document: Document
    spec: Json

    @property
    def name(self) -> str:
        """The resource's name: everything but a job has one."""
        return str(self.spec["name"])

    def folder(self) -> Path:
        """Where the specification lies."""
        file = self.document.source.file
        return file.parent if file else Path.cwd()

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Give a problem that the service found the line it is about."""
        try:
            yield
        except ModelyardError as error:
            source = self.document.source
            if error.path and source.file and error.line is None:
                at = source.position(_key_path(error.path))
                error.line = at.line if at else None
            raise


def overrides_of(values: Mapping[str, Any]) -> list[str]:
    """Keyword arguments as overrides: `version="2"` is `version="2"` in YAML too."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items() if value is not None]


class Specs:
    """Reads specifications and sends their files."""

    def __init__(self, http: Http) -> None:
        self.http = http
        """Where files go, whatever part of the server those who send them are about."""
        self._trees: Trees | None = None

    @property
    def trees(self) -> Trees:
        """Uploads and downloads."""
        if self._trees is None:
            from modelyard.api.trees import Trees

            self._trees = Trees(self.http)
        return self._trees

    def upload(self, path: str | os.PathLike[str]) -> str:
        """Store a file or folder and answer its digest. Raises UploadError."""
        return self.trees.upload(Path(path).resolve())

    def prepare(self, given: SpecLike, group: Group | None, overrides: Sequence[str] = ()) -> Prepared:
        """`read`, then `send`."""
        return self.send(read(given, group, overrides))

    def send(self, document: Document) -> Prepared:
        """Store a document's files. Nothing is sent unless all of the document can be submitted.

        A model's folder keeps its own name as the top level of its tree, so that a score script finds
        `$AZUREML_MODEL_DIR/<folder>/…` as it does in the original. An MLflow model (a folder with `MLmodel`) is itself the top level.

        Raises:
            SpecError: every problem of the document.
            UploadError: a file cannot be sent.
        """
        from modelyard_specs import localise, require_submittable

        require_submittable(document)
        _require_names(document)
        tell(document)
        code, models = _code_and_models(document)

        def upload(path: Path) -> str:
            keep = path in models and not (path / "MLmodel").is_file()
            return self.trees.upload(path, code=path in code, keep_folder=keep)

        return Prepared(document, localise(document, tree=upload))


def read(given: SpecLike, group: Group | None, overrides: Sequence[str] = ()) -> Document:
    """A checked specification, nothing sent yet. Raises SpecError."""
    from modelyard_specs import SpecError, load, load_mapping
    from modelyard_specs.documents import local_paths
    from modelyard_specs.overrides import apply_overrides
    from modelyard_specs.yaml_source import Source

    if not isinstance(given, Mapping):
        return load(Path(given), group=group, overrides=overrides)
    document = load_mapping(apply_overrides(Source(dict(given)), overrides).value, group=group)
    local = list(local_paths(document.model))
    problems = [
        document.problem(
            path, f"`{reference}` is a specification of its own", "its content here, or all of this in a file"
        )
        for path, reference, marker in local
        if marker is not None and marker.what != "yaml"
    ]
    if problems:
        raise SpecError(problems)
    if not local:
        return document
    return replace(document, source=replace(document.source, file=Path.cwd() / "specification"))


def tell(document: Document) -> None:
    """Log what is allowed and probably not meant, and what has no effect here."""
    for warning in document.warnings:
        log.warning("%s", warning)
    if document.ignored:
        log.warning("accepted without effect: %s", ", ".join(document.ignored))


def _require_names(document: Document) -> None:
    """What the address of a resource is made of. Jobs get a name when they have none."""
    from modelyard_specs import SpecError

    needed = ["name"] if document.kind not in _JOBS else []
    if document.kind == "online_deployment":
        needed.append("endpoint_name")
    problems = [
        document.problem((key,), f"`{key}` is missing", key=True)
        for key in needed
        if getattr(document.model, key, None) is None
    ]
    if problems:
        raise SpecError(problems)


def _code_and_models(document: Document) -> tuple[set[Path], set[Path]]:
    from modelyard_specs.documents import local_paths

    code, models = set[Path](), set[Path]()
    for holder in document.holders():
        for path, reference, marker in local_paths(holder.model):
            target = holder.local_path(reference)
            if marker is not None or target is None:
                continue
            if path[-1] == "code":
                code.add(target)
            elif _is_model(holder, path):
                models.add(target)
    return code, models


def _is_model(holder: Document, path: KeyPath) -> bool:
    if holder.kind == "model":
        return path == ("path",)
    return holder.kind == "online_deployment" and path in {("model",), ("model", "path")}


def _key_path(text: str) -> KeyPath:
    return tuple(int(part[1:-1]) if part[0] == "[" else part for part in _KEY_PATH.findall(text))
