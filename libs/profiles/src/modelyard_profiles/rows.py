"""Some rows of a table, as JSON: what a person wants to see before anything else."""

import math
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from modelyard_profiles.readers import Batches, DataFile, FileFormat, Types, batches, parquet_rows, widened

LONGEST_VALUE: Final = 1_000
"""Characters of a text, elements of a list: longer ones are cut, and end in `…`."""
_DEEPEST: Final = 8


@dataclass(frozen=True, slots=True)
class Rows:
    """`columns` is the name and the Arrow type of each; every row has a value for each. `more`: there are rows after these."""

    columns: list[dict[str, str]]
    rows: list[list[Any]]
    more: bool


def read_rows(read: Callable[[Types], Batches], offset: int, limit: int) -> Rows:
    """`limit` rows from `offset` on; no more is read of the table than up to there. Raises ProfileError."""

    def some(types: Types) -> Rows:
        columns: dict[str, str] = {}
        found: list[dict[str, Any]] = []
        skip, more = offset, False
        given = read(types)
        try:
            for batch in given:
                for field in batch.schema:
                    if columns.setdefault(field.name, str(field.type)) == "null":
                        columns[field.name] = str(field.type)
                wanted = batch.slice(skip, limit - len(found)) if skip < batch.num_rows else batch.slice(0, 0)
                found += wanted.to_pylist()
                more = batch.num_rows > skip + wanted.num_rows
                skip = max(skip - batch.num_rows, 0)
                if more:
                    break
        finally:
            given.close()
        rows = [[plain(row.get(name)) for name in columns] for row in found]
        return Rows([{"name": name, "type": kind} for name, kind in columns.items()], rows, more)

    return widened(some)


def file_rows(file: DataFile, file_format: FileFormat, offset: int, limit: int) -> Rows:
    """`read_rows` of a file; of Parquet, the row groups before `offset` are not read. Raises DataFileError."""
    if file_format == "parquet":
        return read_rows(lambda _: parquet_rows(file, offset, min(limit + 1, 1024)), 0, limit)
    return read_rows(lambda types: batches(file, file_format, types), offset, limit)


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON has it: times as ISO 8601, bytes in base64, what is no finite number as text."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None if math.isnan(value) else str(value)
        case str():
            return value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta() | Decimal():
            return str(value)
        case bytes():
            return plain(b64encode(value[:LONGEST_VALUE]).decode())
        case _ if depth >= _DEEPEST:
            return "…"
        case list():
            shown = [plain(item, depth + 1) for item in value[:LONGEST_VALUE]]
            return shown if len(value) <= LONGEST_VALUE else [*shown, "…"]
        case dict():
            return {str(key): plain(item, depth + 1) for key, item in list(value.items())[:LONGEST_VALUE]}
        case pa.MonthDayNano():
            return str(value)
        case _:
            return plain(str(value))
