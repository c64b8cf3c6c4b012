"""A document without its files: what the client sends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelyard_specs import yaml_source
from modelyard_specs.documents import Document, plain
from modelyard_specs.errors import KeyPath, Problem, SpecError
from modelyard_specs.kinds.base import Inlined
from modelyard_specs.parsing import missing_file
from modelyard_specs.references import LocalPath, TreeReference


def localise(document: Document, *, tree: Callable[[Path], str]) -> dict[str, Any]:
    """The specification as self-contained JSON: component, job and conda files are read into it, every other local
    path (code, data, models, build contexts; folder or file) becomes ``modelyard://trees/<digest>``.

    ``tree`` uploads a folder or a file and returns its digest (64 hexadecimal digits); it is called once for each
    path. Paths are relative to the YAML file that holds them. Raises SpecError for every path that leads nowhere.
    """
    digests: dict[Path, str] = {}
    _require_paths(document)

    def localised(holder: Document) -> dict[str, Any]:
        def on_local_path(path: KeyPath, reference: LocalPath, marker: Inlined | None) -> Any:
            if path in holder.files:
                return localised(holder.files[path])
            target = holder.local_path(reference)
            assert target is not None
            if marker is not None:
                return _free_yaml(holder, path, target)
            if target not in digests:
                digests[target] = tree(target)
            return str(TreeReference(digests[target]))

        spec = plain(holder.model, on_local_path)
        assert isinstance(spec, dict)
        return spec

    return localised(document)


def _free_yaml(holder: Document, path: KeyPath, target: Path) -> Any:
    value = yaml_source.read(target).value
    if not isinstance(value, dict):
        raise SpecError([holder.problem(path, f"{target} is no conda file", "a mapping with `dependencies`")])
    return plain(value, lambda _path, reference, _marker: str(reference))


def missing_paths(document: Document) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """The local paths that lead nowhere. First those that belong to the specification (code, conda files, build
    contexts); then data and models, which something may still put there before it is submitted."""
    missing: list[Problem] = []
    awaited: list[Problem] = []

    def look(holder: Document) -> None:
        def on_local_path(path: KeyPath, reference: LocalPath, _marker: Inlined | None) -> None:
            if path in holder.files:
                look(holder.files[path])
                return
            target = holder.local_path(reference)
            if target is None:
                missing.append(holder.problem(path, f"`{reference}` is a path in no file", "a document with a file"))
            elif not target.exists():
                late = path[-1] == "model" or (path[-1] == "path" and path[-2:] != ("build", "path"))
                (awaited if late else missing).append(missing_file(holder, path, target))

        plain(holder.model, on_local_path)

    look(document)
    return tuple(dict.fromkeys(missing)), tuple(dict.fromkeys(awaited))


def _require_paths(document: Document) -> None:
    """Every path is looked at before the first one is uploaded."""
    missing, awaited = missing_paths(document)
    if missing or awaited:
        raise SpecError([*missing, *awaited])
