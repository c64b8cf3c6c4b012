"""What a benchmark measured, as it is printed and stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `value` is None when it could not be measured; `ok` is None where nothing is promised.

    `ratio` is how many times better than the peer's `peer_value` it is. `machine` and `at` (UTC, ISO 8601) are filled in by the run.
    """

    name: str
    value: float | None
    unit: str
    goal: str | None = None
    ok: bool | None = None
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None
    machine: str = ""
    at: str = ""


def at_most(limit: float, name: str, value: float, unit: str) -> Row:
    """A figure that must not be larger than `limit`."""
    return Row(name=name, value=value, unit=unit, goal=f"<= {limit:g} {unit}", ok=value <= limit)


def at_least(limit: float, name: str, value: float, unit: str) -> Row:
    """A figure that must not be smaller than `limit`."""
    return Row(name=name, value=value, unit=unit, goal=f">= {limit:g} {unit}", ok=value >= limit)


def times_the_peer(times: float, name: str, value: float, unit: str, *, peer: str, peer_value: float) -> Row:
    """A rate that must be at least `times` the peer's."""
    ratio = value / peer_value
    return Row(
        name=name,
        value=value,
        unit=unit,
        goal=f">= {times:g} x peer",
        ok=ratio >= times,
        peer=peer,
        peer_value=peer_value,
        ratio=ratio,
    )


def less_than_the_peer(name: str, value: float, unit: str, *, peer: str, peer_value: float) -> Row:
    """A time beside the peer's: nothing is promised, the ratio says how many times shorter it is."""
    return Row(name=name, value=value, unit=unit, peer=peer, peer_value=peer_value, ratio=peer_value / value)


def write(rows: Sequence[Row], file: Path) -> None:
    """Store the rows of one run as a JSON list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """The rows for a reader."""
    head = ("name", "value", "unit", "goal", "", "peer", "peer's value", "ratio")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    right = {1, 6, 7}
    printed = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([printed[0], "-" * len(printed[0]), *printed[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {True: "ok", False: "MISSED", None: ""}[row.ok]
    return (
        row.name,
        _number(row.value) if row.value is not None else "not measured",
        row.unit,
        row.goal or "",
        verdict if row.value is not None else "FAILED",
        row.peer or "",
        _number(row.peer_value),
        f"{row.ratio:.2f}" if row.ratio is not None else "",
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
