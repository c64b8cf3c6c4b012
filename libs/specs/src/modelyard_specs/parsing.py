"""From a file or a mapping to a checked document."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError

from modelyard_specs import texts, validation, yaml_source
from modelyard_specs.documents import Document, ignored_keys, local_paths, problem_at
from modelyard_specs.errors import KeyPath, Problem, SpecError, nearest, render_path
from modelyard_specs.kinds import CLASSES, Group, Kind
from modelyard_specs.kinds.base import Spec
from modelyard_specs.kinds.foreign import NotInferredError, name_foreign
from modelyard_specs.kinds.inference import infer_kind
from modelyard_specs.overrides import apply_overrides
from modelyard_specs.yaml_source import Source

_EXPECTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "string_type": "text",
        "int_type": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "list_type": "a list",
        "none_required": "nothing",
    }
)

_SECRETS: Final = frozenset({"secret", "url", "credentials", "ssh_settings", "api_key"})
"""Keys whose values never stand in a message."""


MAX_FILES: Final = 1_000
"""How many files one document may come to once every file that it names, and that they name, stands in its place."""

MAX_DEPTH: Final = 16
"""How many levels of files may name files."""


def load(path: Path | str, *, group: Group | None = None, overrides: Sequence[str] = ()) -> Document:
    """Read, parse and check a file, and the component and job files that it names.

    ``group`` says what it is taken for when the file does not; ``overrides`` are ``a.b[0].c=value``.
    Raises SpecError with every problem found.
    """
    source = apply_overrides(yaml_source.read(Path(path)), overrides)
    return _Loading().document(source, group)


def check_source(source: Source, *, group: Group | None = None) -> Document:
    """Check what was read already. Raises SpecError."""
    return _Loading().document(source, group)


def load_mapping(value: Mapping[str, Any], *, group: Group | None = None) -> Document:
    """Check a specification that is JSON already; its problems have key paths and no lines. Raises SpecError."""
    return _Loading().document(Source(value), group)


class _Loading:
    """One document and the files that it names: each file is read once, and none may name itself on the way."""

    def __init__(self) -> None:
        self._trail: list[Path] = []
        self._read: dict[tuple[Path, Group], Document | SpecError] = {}

    def document(self, source: Source, group: Group | None) -> Document:
        """The checked document. Raises SpecError."""
        model, kind = _model(source, group)
        document = Document(kind, model, source, ignored=tuple(render_path(path) for path in ignored_keys(model)))
        if source.file is not None:
            self._trail.append(source.file.resolve())
        document, problems = self._with_files(document)
        if source.file is not None:
            self._trail.pop()
        document = texts.with_files(document)
        found = validation.check(document)
        problems.extend(found.problems)
        if problems:
            raise SpecError(problems)
        return replace(document, warnings=(*document.warnings, *found.warnings))

    def _with_files(self, document: Document) -> tuple[Document, list[Problem]]:
        """The document with the component and job files that it names; what is wrong in them is wrong with it."""
        files: dict[KeyPath, Document] = {}
        problems: list[Problem] = []
        if document.source.file is None:
            return document, problems
        size = 1
        for path, reference, marker in local_paths(document.model):
            if marker is None or marker.what == "yaml":
                continue
            target = document.local_path(reference)
            assert target is not None
            if target in self._trail:
                names = [file.name for file in (*self._trail[self._trail.index(target) :], target)]
                problems.append(document.problem(path, f"the files name one another: {' → '.join(names)}"))
            elif len(self._trail) > MAX_DEPTH:
                message = f"files name files more than {MAX_DEPTH} levels deep"
                problems.append(document.problem(path, message, code="too_large"))
            elif not target.is_file():
                problems.append(missing_file(document, path, target))
            else:
                found = self._file(target, marker.what)
                if isinstance(found, SpecError):
                    problems.extend(problem for problem in found.problems if problem not in problems)
                    continue
                files[path] = found
                size += found.size
        if size > MAX_FILES:
            message = f"it comes to {size:,} files once those that it names stand in their places"
            raise SpecError([document.problem((), message, f"at most {MAX_FILES:,}", code="too_large")])
        ignored = [f"{render_path(path)}.{key}" for path, file in files.items() for key in file.ignored]
        warnings = dict.fromkeys(warning for file in files.values() for warning in file.warnings)
        return replace(
            document,
            files=MappingProxyType(files),
            size=size,
            ignored=(*document.ignored, *ignored),
            warnings=(*document.warnings, *warnings),
        ), problems

    def _file(self, target: Path, group: Group) -> Document | SpecError:
        if (target, group) not in self._read:
            try:
                self._read[target, group] = self.document(yaml_source.read(target), group)
            except SpecError as error:
                self._read[target, group] = error
        return self._read[target, group]


def _model(source: Source, group: Group | None) -> tuple[Spec, Kind]:
    value = source.value
    if value is None:
        raise SpecError([problem_at(source, (), "the file is empty", code="empty")])
    name = source.file.name if source.file else ""
    if not isinstance(value, Mapping):
        what = name_foreign(value, name) or "no specification"
        raise SpecError([problem_at(source, (), f"this is {what}, not a specification", "a mapping", code="other")])
    try:
        kind = infer_kind(value, group=group, file_name=name)
    except NotInferredError as error:
        raise SpecError([problem_at(source, (), error.message, error.expected, code=error.code)]) from None
    try:
        return CLASSES[kind].model_validate(value), kind
    except ValidationError as error:
        raise SpecError(_translate(error, source)) from None


def missing_file(document: Document, path: KeyPath, target: Path) -> Problem:
    """The problem of a local path that leads nowhere, with the name beside it that was probably meant."""
    beside = [found.name for found in target.parent.iterdir()] if target.parent.is_dir() else []
    return document.problem(
        path,
        f"{target} does not exist",
        "a path relative to the file that names it",
        nearest(target.name, beside),
        code="missing_file",
    )


def _translate(error: ValidationError, source: Source) -> list[Problem]:
    """Pydantic's findings in the terms of the document: one problem a place."""
    by_place: dict[tuple[KeyPath, bool], list[dict[str, Any]]] = {}
    for detail in error.errors(include_url=False):
        path = _key_path(detail["loc"], source.value)
        missing = detail["type"] == "missing"
        if missing:
            path = (*path, str(detail["loc"][-1]))
        by_place.setdefault((path, missing), []).append(dict(detail))
    return [_problem(source, path, details) for (path, _), details in by_place.items()]


def _key_path(location: Iterable[str | int], value: Any) -> KeyPath:
    """A pydantic location without what names no key: the tags of unions."""
    path: KeyPath = ()
    for part in location:
        if isinstance(value, Mapping | list) and part in (value if isinstance(value, Mapping) else range(len(value))):
            value = value[part]  # type: ignore[index]  # a list's index was just seen to be in its range
            path = (*path, part)
    return path


def _problem(source: Source, path: KeyPath, details: list[dict[str, Any]]) -> Problem:
    first = details[0]
    context = first.get("ctx") or {}
    name = path[-1] if path else ""
    match first["type"]:
        case "missing":
            return problem_at(source, path, f"`{name}` is missing", key=True)
        case "unknown_key":
            names = [n for n in context["names"] if n != "$schema"]
            expected = f"one of {', '.join(names)}" if len(names) <= 12 else None
            return problem_at(source, path, f"unknown key `{name}`", expected, nearest(str(name), names), key=True)
        case "literal_error":
            listed = " or ".join(str(d["ctx"]["expected"]) for d in details if d["type"] == "literal_error")
            options = [option.strip("' ") for part in listed.split(", ") for option in part.split(" or ")]
            given = str(first["input"])
            expected = f"one of {', '.join(options)}" if len(options) > 1 else options[0]
            return problem_at(source, path, f"`{given}` is not valid", expected, nearest(given, options))
        case "greater_than_equal" | "less_than_equal":
            limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
            return problem_at(source, path, f"`{first['input']}` is out of range", limit)
        case "string_pattern_mismatch":
            shown = "the value" if name in _SECRETS else f"`{first['input']}`"
            key = first["loc"][-1] == "[key]"
            return problem_at(source, path, f"{shown} is not valid", f"text like {context['pattern']}", key=key)
        case "value_error":  # from a check of a model as a whole
            return problem_at(source, path, str(context.get("error", first["msg"])))
        case _:
            pass
    types = [_EXPECTED[d["type"]] for d in details if d["type"] in _EXPECTED]
    if len(types) == len(details):
        given = "the value" if name in _SECRETS else _describe(first["input"])
        expected = " or ".join(dict.fromkeys(types))
        return problem_at(source, path, f"{given} is not valid here", expected)
    return problem_at(source, path, str(first["msg"]))


def _describe(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case Mapping():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return "text" if len(value) > 40 else f"the text `{value}`"
        case _:
            return f"`{value}`"
