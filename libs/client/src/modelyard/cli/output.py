"""Printing: JSON, YAML, a table, or tab-separated values, as `az` prints them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelyard.cli.options import CommandError

_WIDEST: Final = 60


def show(document: Any, options: argparse.Namespace) -> None:
    """Print what `--query` picks, in the format of `--output`: by default lists on a terminal as a table, everything else as JSON."""
    columns: Sequence[str] = options.columns
    if options.query:
        document, columns = _pick(document, options.query), ()
        if document is None:
            return
    default = "table" if options.columns and not options.query and sys.stdout.isatty() else "json"
    match options.output or default:
        case "table":
            text = as_table(document, columns)
        case "tsv":
            text = as_tsv(document)
        case "yaml":
            text = _as_yaml(document)
        case _:
            text = json.dumps(document, indent=2, ensure_ascii=False)
    if text:
        print(text)


def as_table(document: Any, columns: Sequence[str] = ()) -> str:
    """Rows under their names. Without `columns` every scalar of the first row is one."""
    rows = [row if isinstance(row, Mapping) else {"result": row} for row in _rows(document)]
    if not rows:
        return ""
    names = list(columns) if columns else [key for key, value in rows[0].items() if not isinstance(value, dict | list)]
    lines = [[name.replace("_", " ") for name in names], *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(names))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_tsv(document: Any) -> str:
    """A line for each item; scalars as they are, the values of lists and mappings between tabs."""
    return "\n".join(_tsv_row(row) for row in _rows(document))


def short_time(time: str) -> str:
    """An ISO time to the second: `2026-11-23 12:40:05Z`."""
    return time[:19].replace("T", " ") + "Z"


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


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ", ".join(_cell(item) for item in value)
        case dict():
            return " ".join(f"{key}={_cell(item)}" for key, item in value.items())
        case str() if len(value) > 19 and value[4:5] == "-" and value[10:11] == "T":
            return short_time(value)
        case _:
            text = " ".join(str(value).split())
            return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


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
