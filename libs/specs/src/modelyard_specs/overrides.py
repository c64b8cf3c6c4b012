"""``--set a.b[0].c=value``: changes made to a document before it is checked."""

import copy
import re
from collections.abc import Sequence
from typing import Any

from modelyard_specs import yaml_source
from modelyard_specs.errors import KeyPath, Problem, SpecError, render_path

_KEY = r"(?:\"[^\"]+\"|[^.\[\]=\"]+)"
_PATH = re.compile(rf"{_KEY}(\[\d+\])*(\.{_KEY}(\[\d+\])*)*(?==)")
_PART = re.compile(r"\"[^\"]+\"|[^.\[\]]+|\[\d+\]")


def parse_override(text: str) -> tuple[KeyPath, Any]:
    """``a.b[0]=1e-3`` as a key path and a value. The value is YAML (``3``, ``[1, 2]``, ``{a: b}``), or text where it is
    not. A key with dots in it stands in quotes: ``tags."a.b"=c``. Raises SpecError when there is no ``=`` or no path."""
    name = _PATH.match(text)
    if name is None:
        raise SpecError([Problem("", None, None, f"`--set {text}` cannot be read", "a.b[0].c=value")])
    parts = (int(part[1:-1]) if part[0] == "[" else part.strip('"') for part in _PART.findall(name[0]))
    return tuple(parts), _value(text[name.end() + 1 :])


def _value(raw: str) -> Any:
    if not raw.strip():
        return raw
    if "${{" in raw or raw[0] in "&*!|>@`%":
        return raw
    try:
        return yaml_source.parse(raw).value
    except SpecError:
        return raw


def apply_overrides(source: yaml_source.Source, overrides: Sequence[str]) -> yaml_source.Source:
    """The source with every override applied, in order; mappings on the way are made where they are missing, and a list
    grows by the item after its last. Raises SpecError for a path that leads through something else."""
    if not overrides:
        return source
    value = copy.deepcopy(source.value)
    changed: list[KeyPath] = []
    for text in overrides:
        path, new = parse_override(text)
        container = value
        for depth, part in enumerate(path[:-1]):
            empty: Any = [] if isinstance(path[depth + 1], int) else {}
            _check(container, part, path, text, source)
            if isinstance(container, dict):
                if container.get(part) is None:
                    container[part] = empty
            elif part == len(container):
                container.append(empty)
            container = container[part]
        _check(container, path[-1], path, text, source)
        if isinstance(container, list) and path[-1] == len(container):
            container.append(new)
        else:
            container[path[-1]] = new
        changed.append(path)
    return source.with_value(value, tuple(changed))


def _check(container: Any, part: str | int, path: KeyPath, text: str, source: yaml_source.Source) -> None:
    if isinstance(part, str) and isinstance(container, dict):
        return
    if isinstance(part, int) and isinstance(container, list) and part <= len(container):
        return
    message = f"`--set {text}` does not fit the document"
    expected = f"an index up to {len(container)}" if isinstance(container, list) else "the path of a mapping or list"
    raise SpecError([Problem(render_path(path), None, None, message, expected, file=source.file)])
