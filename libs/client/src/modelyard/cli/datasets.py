"""`modelyard data preview | profile | diff | check`: what is in a version of data."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.output import as_table, size

if TYPE_CHECKING:
    from modelyard.client import Client

_PROFILE: Final = ("column", "type", "count", "missing", "distinct", "min", "mean", "max")
_COLUMNS: Final = ("column", "verdict", "drift", "effect", "missing", "distinct", "mean")
_LISTED: Final = 10


def register(group: flags.Group) -> None:
    """Add the commands to `data`."""
    command = group.verb("preview", preview, draw=rows_drawn, example="data preview -n flights -v 1 --rows 5")
    flags.named(command, "data")
    flags.version(command)
    command.add_argument("--file", metavar="PATH", help="which of its files; default: the first table")
    command.add_argument("--rows", type=flags.count, default=20, help="so many (default: %(default)s)")
    command.add_argument("--offset", type=int, default=0, help="after so many others")
    command = group.verb(
        "profile", profile, draw=profile_drawn, example="data profile -n flights --query columns.delay"
    )
    flags.named(command, "data")
    flags.version(command)
    command = group.verb("diff", diff, draw=diff_drawn, example="data diff -n flights 1 2")
    flags.named(command, "data")
    command.add_argument("before", metavar="FROM", help="a version, @LABEL, or other:VERSION")
    command.add_argument("after", metavar="TO", nargs="?", default="@latest", help="default: @latest")
    command = group.verb("check", check, example="data check -n flights -v 1")
    flags.named(command, "data")
    flags.version(command)


def preview(client: Client, options: argparse.Namespace) -> Any:
    """Rows of a table: CSV, Parquet, JSON lines or MLTable."""
    return client.data.rows(
        options.name,
        options.version,
        label=options.label,
        file=options.file,
        offset=options.offset,
        limit=options.rows,
    )


def profile(client: Client, options: argparse.Namespace) -> Any:
    """Statistics of each column: missing, distinct, quantiles, histogram."""
    return client.data.profile(options.name, options.version, label=options.label)


def diff(client: Client, options: argparse.Namespace) -> Any:
    """How two versions differ: files, schema, rows, and the drift of each column with its effect size."""
    return client.data.diff(options.name, options.before, options.after)


def check(client: Client, options: argparse.Namespace) -> Any:
    """Whether data that stays outside is still what was registered. Exit status 1 when it is not."""
    return client.data.check(options.name, options.version, label=options.label)


def rows_drawn(found: dict[str, Any]) -> str:
    """The rows as a table."""
    names = [column["name"] for column in found["columns"]]
    text = as_table([dict(zip(names, row, strict=True)) for row in found["rows"]], names)
    more = f"\n… more from row {found['next']} on: --offset {found['next']}" if found["next"] else ""
    return f"{found['file']}\n{text}{more}"


def profile_drawn(found: dict[str, Any]) -> str:
    """A line for each column."""
    lines = [{"column": name, **column} for name, column in found["columns"].items()]
    return f"{found['name']}:{found['version']}, {found['rows']:,} rows\n{as_table([_rounded(line) for line in lines], _PROFILE)}"


def diff_drawn(found: dict[str, Any]) -> str:
    """What changed: files, rows, schema, then a line for each column."""
    before, after, files, table = found["from"], found["to"], found["files"], found["table"]
    lines = [f"{before['name']}:{before['version']} → {after['name']}:{after['version']}"]
    if found["identical"]:
        lines.append("the same files")
    elif files is not None:
        counts = ", ".join(f"{count} {what}" for what, count in files["counts"].items() if count)
        lines.append(f"files: {counts} ({size(files['size']['from'])} → {size(files['size']['to'])})")
        for what in ("added", "removed", "changed"):
            lines += [f"  {what} {path}" for path in files[what][:_LISTED]]
            lines += [f"  … and {len(files[what]) - _LISTED} more {what}"] if len(files[what]) > _LISTED else []
    if table is not None:
        rows, schema = table["rows"], table["schema"]
        lines.append(f"rows: {rows['from']:,} → {rows['to']:,} ({rows['change']:+,})")
        lines += [
            f"column {one['name']} was {what} ({one['type']})" for what in ("added", "removed") for one in schema[what]
        ]
        lines += [f"column {one['name']} became {one['to']} (it was {one['from']})" for one in schema["retyped"]]
        lines.append(as_table([_compared(column) for column in table["columns"]], _COLUMNS))
    return "\n".join([*lines, *found["notes"]])


def _compared(column: dict[str, Any]) -> dict[str, Any]:
    drift, effect = column["drift"], column["effect_size"]
    return {
        "column": column["name"],
        "verdict": column["verdict"],
        "drift": f"{drift['measure']} {_number(drift['value'])} (> {drift['threshold']:g} drifts)"
        if drift
        else column["note"],
        "effect": f"{effect['measure']} {_number(effect['value'])}" if effect else "",
        "missing": f"{column['missing']['from_share']:.1%} → {column['missing']['to_share']:.1%}",
        "distinct": _moved(column["distinct"]),
        "mean": _moved(column["mean"]),
    }


def _moved(sides: dict[str, Any]) -> str:
    return "" if sides["to"] is None else f"{_number(sides['from'])} → {_number(sides['to'])}"


def _rounded(line: dict[str, Any]) -> dict[str, Any]:
    return {key: _number(value) if isinstance(value, float) else value for key, value in line.items()}


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
