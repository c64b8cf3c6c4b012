"""`--set`, `--add` and `--remove` of the update commands: changes to what is there, as `az`'s generic update makes them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelyard.cli.options import CommandError
from modelyard_specs import SpecError
from modelyard_specs.overrides import apply_overrides, parse_override
from modelyard_specs.yaml_source import Source

_METADATA: Final = ("description", "tags", "properties", "stage")


def edited(document: Mapping[str, Any], edits: Sequence[tuple[str, Sequence[str]]]) -> dict[str, Any]:
    """The document with every edit applied, in order.

    Raises:
        SpecError: a `--set` that cannot be read or does not fit.
        CommandError: an `--add` or `--remove` of what is not there.
    """
    value: dict[str, Any] = copy.deepcopy(dict(document))
    for verb, words in edits:
        match verb:
            case "set":
                value = apply_overrides(Source(value), words).value
            case "add":
                _add(value, *words)
            case _:
                _remove(value, *words)
    return value


def of_file(edits: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """What the edits change of a file's specification. Raises CommandError for those that are about what is there."""
    if any(verb != "set" for verb, _ in edits):
        raise CommandError("--add and --remove change what is there: leave --file out", status=2)
    return [change for _, words in edits for change in words]


def check_edits(edits: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Raise SpecError for a `--set` that cannot be read, before anybody is asked anything."""
    for verb, words in edits:
        for word in words if verb == "set" else ():
            parse_override(word)


def changed_metadata(
    found: Mapping[str, Any], edits: Sequence[tuple[str, Sequence[str]]], keys: Sequence[str] = _METADATA
) -> dict[str, Any]:
    """What the edits change of a thing's metadata. Raises what `edited` raises, and CommandError for what cannot change."""
    before = {key: found.get(key) for key in keys}
    after: dict[str, Any] = dict.fromkeys(keys) | edited(before, edits)
    fixed = [key for key in after if key not in keys]
    if fixed:
        raise CommandError(f"`{fixed[0]}` cannot change; what can: {', '.join(keys)}", status=2)
    for key in ("tags", "properties"):
        if isinstance(after.get(key), dict):
            after[key] = {name: _text(value) for name, value in after[key].items()}
    gone = set(before.get("properties") or {}) - set(after.get("properties") or {})
    if gone:
        raise CommandError(f"property `{min(gone)}` stays: properties are added, never taken away", status=2)
    return {
        key: _empty(before[key]) if value is None else value for key, value in after.items() if value != before[key]
    }


def _text(value: Any) -> str:
    """Tags are text, also those that look like numbers."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _empty(value: Any) -> Any:
    return {} if isinstance(value, dict) else ""


def _add(document: dict[str, Any], path: str, *values: str) -> None:
    if not values:
        raise CommandError(f"--add {path}: what is to be added?", status=2)
    holder, last = _holder(document, path, "--add")
    there = holder.get(last) if isinstance(holder, dict) else holder[last]
    pairs = [value.partition("=") for value in values]
    if isinstance(there, dict) and all(equals for _, equals, _ in pairs):
        there.update({key: value for key, _, value in pairs})
        return
    if there is None:
        there = holder[last] = []
    if not isinstance(there, list):
        raise CommandError(f"--add {path}: this is no list", status=2)
    if all(equals for _, equals, _ in pairs):
        there.append({key: value for key, _, value in pairs})
    else:
        there += values


def _remove(document: dict[str, Any], path: str, index: str | None = None, *more: str) -> None:
    if more:
        raise CommandError(
            f"--remove {path} {index} {' '.join(more)}: a path, and for a list's item its index", status=2
        )
    holder, last = _holder(document, path, "--remove")
    try:
        if index is not None:
            del holder[last][int(index)]
        else:
            del holder[last]
    except (KeyError, IndexError, TypeError, ValueError):
        raise CommandError(f"--remove {path}{'' if index is None else f' {index}'}: there is none", status=2) from None


def _holder(document: Any, path: str, flag: str) -> tuple[Any, Any]:
    try:
        *way, last = parse_override(f"{path}=")[0]
    except SpecError:
        raise CommandError(f"{flag} {path}: this is no path, such as tags.team or events[0]", status=2) from None
    for part in way:
        try:
            document = document[part]
        except (KeyError, IndexError, TypeError):
            raise CommandError(f"{flag} {path}: there is no `{part}`", status=2) from None
    return document, last
