"""What a folder of YAML holds, told without a server: `modelyard validate`."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from modelyard_specs import yaml_source
from modelyard_specs.documents import Document
from modelyard_specs.errors import Code, Problem, SpecError
from modelyard_specs.kinds.foreign import NotInferredError, name_foreign
from modelyard_specs.kinds.inference import infer_kind
from modelyard_specs.localise import missing_paths
from modelyard_specs.parsing import check_source
from modelyard_specs.submission import require_submittable
from modelyard_specs.yaml_source import Source

Status = Literal["ok", "unsupported", "template", "empty", "other", "error"]

_STATUS: Final[dict[Code, Status]] = {
    "unsupported": "unsupported",
    "template": "template",
    "empty": "empty",
    "other": "other",
}
_SUFFIXES: Final = frozenset({".yml", ".yaml"})
_PASSED_OVER: Final = frozenset({".git"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one file is.

    ``status``: ``ok``; ``unsupported``, a kind or a part that is refused for the reason in ``detail``; ``template``,
    with unfilled ``{{…}}``; ``empty``; ``other``, YAML that is no specification, ``kind`` naming what it is; ``error``.
    ``detail`` is one line: the first problem, or else the first warning, and how many more there are.
    ``ignored_keys``: the key paths that are accepted and have no effect.
    """

    path: str
    kind: str | None
    name: str | None
    status: Status
    detail: str = ""
    ignored_keys: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `modelyard validate -o json` says of a file."""
        return {
            "path": self.path,
            "kind": self.kind,
            "name": self.name,
            "status": self.status,
            "detail": self.detail,
            "ignored_keys": list(self.ignored_keys),
        }


def survey(path: Path | str) -> Verdict:
    """Check one file, with the files that it names. Never raises for what is in it."""
    file = Path(path)
    try:
        source = yaml_source.read(file)
    except SpecError as error:
        return _refused(file, None, error)
    try:
        document = check_source(source)
    except SpecError as error:
        return _refused(file, source, error)
    kind, name = document.kind, getattr(document.model, "name", None)
    try:
        require_submittable(document)
    except SpecError as error:
        return _verdict(file, kind, name, "unsupported", error.problems, document)
    missing, awaited = missing_paths(document)
    status: Status = "error" if missing else "ok"
    return _verdict(file, kind, name, status, missing, document, (*document.warnings, *awaited))


def survey_paths(paths: Iterable[Path | str]) -> Iterator[Verdict]:
    """Check files, and in folders every ``.yml`` and ``.yaml``, in any case and in the order of their names. A link
    that leads out of its folder is not followed. A path that does not exist is an error."""
    for path in paths:
        for file in yaml_files(Path(path)):
            yield survey(file)


def yaml_files(path: Path) -> Iterator[Path]:
    """The YAML files of a folder, or the path itself when it is none."""
    if not path.is_dir():
        yield path
        return
    root = path.resolve()
    for folder, folders, files in os.walk(path, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        for name in sorted(files):
            file = Path(folder) / name
            if file.suffix.lower() in _SUFFIXES and file.is_file() and file.resolve().is_relative_to(root):
                yield file


def _refused(file: Path, source: Source | None, error: SpecError) -> Verdict:
    """A file that is no document: what can be told of it all the same."""
    kind, name, status = None, None, _STATUS.get(error.code, "error")
    value = source.value if source else None
    if error.code == "documents" and (foreign := name_foreign(error.value, file.name)):
        kind, status = _bare(foreign), "other"
        error = SpecError([Problem("", 1, 1, f"this is {foreign}, not a specification", file=file, code="other")])
    elif status == "other":
        kind = _bare(name_foreign(value, file.name) or "")
    elif isinstance(value, dict):
        try:
            kind = infer_kind(value, file_name=file.name)
        except NotInferredError:
            kind = None
        name = value.get("name")
    return _verdict(file, kind, name if isinstance(name, str) else None, status, error.problems)


def _verdict(
    file: Path,
    kind: str | None,
    name: str | None,
    status: Status,
    problems: tuple[Problem, ...],
    document: Document | None = None,
    warnings: tuple[Problem, ...] = (),
) -> Verdict:
    told = problems or warnings
    detail = _line(file, told[0]) if told else ""
    if len(told) > 1:
        detail += f" (and {len(told) - 1} more)"
    ignored = document.ignored if document else ()
    return Verdict(str(file), kind, name, status, detail, ignored, problems, warnings)


def _line(file: Path, problem: Problem) -> str:
    text = str(problem).removeprefix(f"{file}:").lstrip()
    return " ".join(text.split())


def _bare(named: str) -> str:
    """``a conda environment`` as ``conda environment``."""
    return named.removeprefix("an ").removeprefix("a ")
