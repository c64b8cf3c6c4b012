"""A checked specification, with where everything in it stands."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modelyard_specs.errors import Code, KeyPath, Problem, render_path
from modelyard_specs.kinds import Kind
from modelyard_specs.kinds.base import Inlined, Secret, Spec, WithoutEffect
from modelyard_specs.references import LocalPath, Reference
from modelyard_specs.yaml_source import Source, WrittenFloat, WrittenInt

OnLocalPath = Callable[[KeyPath, LocalPath, Inlined | None], Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A specification that parsed and holds together.

    ``ignored``: key paths that are accepted and have no effect. ``warnings``: what is allowed and probably not meant.
    ``files``: the component and job files that it names, by the key path of the reference; ``size``: how many files it
    comes to with all of them in their places, itself included.
    """

    kind: Kind
    model: Spec
    source: Source
    ignored: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()
    files: Mapping[KeyPath, "Document"] = field(default_factory=lambda: MappingProxyType({}))

    size: int = 1

    def holders(self) -> Iterator["Document"]:
        """This document and those of all files that it names, and that they name."""
        yield self
        for file in self.files.values():
            yield from file.holders()

    def spec(self) -> dict[str, Any]:
        """The document as JSON: what was written, with numbers as text where text is meant, references as text."""
        spec = plain(self.model, lambda _path, reference, _marker: str(reference))
        assert isinstance(spec, dict)
        return spec

    def problem(
        self,
        path: KeyPath,
        message: str,
        expected: str | None = None,
        suggestion: str | None = None,
        *,
        key: bool = False,
        code: Code = "invalid",
    ) -> Problem:
        """A problem at a key path of this document; ``key`` points at the key instead of its value."""
        return problem_at(self.source, path, message, expected, suggestion, key=key, code=code)

    def local_path(self, reference: LocalPath) -> Path | None:
        """Where a local path leads: relative to the file that holds it. None when the document came from no file."""
        return None if self.source.file is None else (self.source.file.parent / reference.path).resolve()


def problem_at(
    source: Source,
    path: KeyPath,
    message: str,
    expected: str | None = None,
    suggestion: str | None = None,
    *,
    key: bool = False,
    code: Code = "invalid",
) -> Problem:
    """A problem at a key path of a source."""
    at = source.position(path, key=key)
    line, column = (at.line, at.column) if at else (None, None)
    return Problem(render_path(path), line, column, message, expected, suggestion, source.file, code)


def plain(value: Any, on_local_path: OnLocalPath, path: KeyPath = (), marker: Inlined | None = None) -> Any:
    """A model as JSON values, without its secrets; ``on_local_path`` says what becomes of local paths."""
    match value:
        case Spec():
            return {
                key: plain(item, on_local_path, (*path, key), _inlined(markers))
                for key, item, markers in value.entries()
                if not any(isinstance(marker, Secret) for marker in markers)
            }
        case dict():
            return {key: plain(item, on_local_path, (*path, key)) for key, item in value.items()}
        case list():
            return [plain(item, on_local_path, (*path, index)) for index, item in enumerate(value)]
        case LocalPath():
            return on_local_path(path, value, marker)
        case WrittenInt():
            return int(value)
        case WrittenFloat():
            return float(value)
        case _:
            return str(value) if isinstance(value, Reference) else value


def local_paths(value: Any) -> Iterator[tuple[KeyPath, LocalPath, Inlined | None]]:
    """Every local path in a model."""
    found: list[tuple[KeyPath, LocalPath, Inlined | None]] = []
    plain(value, lambda path, reference, marker: found.append((path, reference, marker)))
    return iter(found)


def ignored_keys(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The key paths in a model that are accepted and have no effect."""
    if isinstance(value, Spec):
        for key, item, markers in value.entries():
            if any(isinstance(marker, WithoutEffect) for marker in markers):
                yield (*path, key)
            else:
                yield from ignored_keys(item, (*path, key))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from ignored_keys(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ignored_keys(item, (*path, index))


def _inlined(markers: list[Any]) -> Inlined | None:
    return next((marker for marker in markers if isinstance(marker, Inlined)), None)
