"""Printing: JSON, YAML, a table, or tab-separated values, as `az` prints them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from modelyard.cli.options import CommandError

_WIDEST: Final = 60
"""Longer cells are cut on a terminal. What is piped on is whole."""
_SIZES: Final = frozenset({"size", "size_bytes"})
_STATES: Final = {
    "completed": "32",
    "ready": "32",
    "approved": "32",
    "succeeded": "32",
    "delivered": "32",
    "ok": "32",
    "running": "36",
    "submitted": "36",
    "requested": "36",
    "building": "36",
    "starting": "36",
    "degraded": "33",
    "canceled": "33",
    "unsupported": "33",
    "failed": "31",
    "rejected": "31",
    "dead": "31",
    "error": "31",
}
"""Colours (ECMA-48) of what a column `status` or `result` says."""


def show(document: Any, options: argparse.Namespace) -> None:
    """Print what `--query` picks, in the format of `--output`: by default lists on a terminal as a table, everything else as JSON."""
    columns: Sequence[str] = options.columns
    draw = options.draw
    if options.query:
        document, columns, draw = _pick(document, options.query), (), None
        if document is None:
            return
    person = sys.stdout.isatty()
    default = "table" if draw or (options.columns and not options.query and person) else "json"
    match options.output or default:
        case "none":
            text = ""
        case "table" if draw:
            text = draw(document)
        case "table":
            text = as_table(document, columns, person=person)
        case "tsv":
            text = as_tsv(document)
        case "yaml":
            text = _as_yaml(document)
        case _:
            text = json.dumps(document, indent=2, ensure_ascii=False)
    if text:
        print(text)


def as_table(document: Any, columns: Sequence[str] = (), *, person: bool = False) -> str:
    """Rows under their names. Without `columns` every scalar of the first row is one.

    For a `person` times become ages, sizes become units, states get colours, and long cells are cut.
    """
    rows = [row if isinstance(row, Mapping) else {"result": row} for row in _rows(document)]
    if not rows:
        return ""
    names = list(columns) if columns else [key for key, value in rows[0].items() if not isinstance(value, dict | list)]
    cells = [[_cell(name, row.get(name), person=person) for name in names] for row in rows]
    lines = [[name.replace("_", " ") for name in names], *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(names))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            _coloured(name, cell, width) if person else cell.ljust(width)
            for name, cell, width in zip(names, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def as_tsv(document: Any) -> str:
    """A line for each item; scalars as they are, the values of lists and mappings between tabs."""
    return "\n".join(_tsv_row(row) for row in _rows(document))


def short_time(time: str) -> str:
    """An ISO time to the second: `2026-11-23 12:40:05Z`."""
    return time[:19].replace("T", " ") + "Z"


def age(time: str) -> str:
    """How long ago an ISO time was: `3 min ago`."""
    try:
        passed = (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):
        return time
    for seconds, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if passed >= seconds:
            return f"{passed // seconds:.0f} {unit} ago"
    return "just now" if passed >= 0 else short_time(time)


def size(count: float) -> str:
    """Bytes in units: `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _coloured(name: str, cell: str, width: int) -> str:
    colour = _STATES.get(cell.lower()) if name in {"status", "result", "state"} else None
    padded = cell.ljust(width)
    return f"\x1b[{colour}m{padded}\x1b[0m" if colour and "NO_COLOR" not in os.environ else padded


def _rows(document: Any) -> list[Any]:
    return document if isinstance(document, list) else [document]


def check(query: str) -> None:
    """Raise CommandError for a `--query` that is no JMESPath, before anything is done."""
    import jmespath

    try:
        jmespath.compile(query)
    except jmespath.exceptions.JMESPathError as error:
        raise CommandError(f"--query {query}: {str(error).splitlines()[0]}", status=2) from None


def _pick(document: Any, query: str) -> Any:
    import jmespath

    try:
        return jmespath.search(query, document)
    except jmespath.exceptions.JMESPathError as error:  # a function that does not fit what is there
        raise CommandError(f"--query {query}: {str(error).splitlines()[0]}", status=2) from None


def _as_yaml(document: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text.rstrip("\n")


def _cell(name: str, value: Any, *, person: bool) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float() if person and name in _SIZES:
            return size(value)
        case list():
            return ", ".join(_cell(name, item, person=person) for item in value)
        case dict():
            return " ".join(f"{key}={_cell(key, item, person=person)}" for key, item in value.items())
        case str() if len(value) > 19 and value[4:5] == "-" and value[10:11] == "T":
            return age(value) if person else short_time(value)
        case _:
            text = " ".join(str(value).split())
            return f"{text[: _WIDEST - 1]}…" if person and len(text) > _WIDEST else text


def _tsv_row(row: Any) -> str:
    match row:
        case bool():
            return str(row).lower()
        case dict():
            return "\t".join(_tsv_field(value) for value in row.values())
        case list():
            return "\t".join(_tsv_field(value) for value in row)
        case _:
            return str(row)


def _tsv_field(value: Any) -> str:
    """A field is one cell: what is deeper is shown by its size, as `az` does."""
    match value:
        case dict():
            return ""
        case list():
            return str(len(value))
        case _:
            return str(value)
