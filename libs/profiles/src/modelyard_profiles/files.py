"""Profiles of data files, read once in blocks of rows: memory does not grow with the file."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import pyarrow as pa

from modelyard_profiles.errors import DataFileError, ProfileError
from modelyard_profiles.table import TableProfile

FileFormat = Literal["csv", "parquet", "jsonl"]

BLOCK_BYTES: Final = 4 << 20
BLOCK_ROWS: Final = 65_536
LONGEST_LINE_BYTES: Final = 64 << 20
_SUFFIXES: Final[dict[str, FileFormat]] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_CSV_MISSING: Final = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
_CSV_ROW: Final = re.compile(r"Row #(\d+): ")
_CSV_COLUMN: Final = re.compile(r"In CSV column #(\d+): .*CSV conversion error")

_Types = dict[str, pa.DataType]
_Reader = Callable[[Path, _Types], Iterator[pa.RecordBatch]]


class _TooNarrowError(Exception):
    """A column's type, guessed from the file's first block, does not fit a later value."""

    def __init__(self, column: str, wider: pa.DataType) -> None:
        super().__init__(column)
        self.column = column
        self.wider = wider


def format_of(path: Path) -> FileFormat | None:
    """The format that the file's name tells, or None when it is not one of tabular data."""
    return _SUFFIXES.get(path.suffix.lower())


def profile_file(path: Path, file_format: FileFormat | None = None) -> TableProfile:
    """The profile of a CSV (comma, header line), Parquet or JSON lines file.

    Types are those of the whole file: a column that starts with integers and goes on with words is read as words. Raises
    DataFileError, with the line where one is to blame, when the file cannot be read as `file_format` (told from the
    file's name when not given).
    """
    chosen = file_format or format_of(path)
    read = _READERS.get(chosen) if chosen is not None else None
    if read is None:
        raise DataFileError(path, f"not a tabular format: {chosen or path.suffix!r}; known are {', '.join(_READERS)}")
    types: _Types = {}
    while True:  # ends: every turn widens a column's type, and a string is as wide as it gets
        profile = TableProfile()
        try:
            for batch in read(path, types):
                profile.update(batch)
        except _TooNarrowError as error:
            types[error.column] = error.wider
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataFileError(path, _first_line(error)) from error
        except DataFileError:
            raise
        except ProfileError as error:
            raise DataFileError(path, str(error)) from error
        else:
            return profile


def _csv_batches(path: Path, types: _Types) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv

    reader = None
    try:
        # One thread: with more, Arrow does not say which row is bad. Reading ahead still overlaps with profiling.
        reader = csv.open_csv(
            path,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=types, null_values=_CSV_MISSING, strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
        for field in reader.schema:
            if pa.types.is_binary(
                field.type
            ):  # what Arrow makes of bytes that are not UTF-8: as text they are an error
                raise _TooNarrowError(field.name, pa.string())
        yield from reader
    except pa.ArrowInvalid as error:
        message = _first_line(error)
        column = _CSV_COLUMN.match(message)
        if column is not None and reader is not None:
            field = reader.schema.field(int(column[1]))
            wider = _wider(field.type)
            if wider is not None:
                raise _TooNarrowError(field.name, wider) from error
        row = _CSV_ROW.search(message)
        reason = _CSV_ROW.sub("", message)
        raise DataFileError(path, reason, int(row[1]) if row is not None else None) from error


def _wider(guessed: pa.DataType) -> pa.DataType | None:
    if pa.types.is_null(guessed) or pa.types.is_integer(guessed):
        return pa.float64()
    return None if pa.types.is_string(guessed) else pa.string()


def _parquet_batches(path: Path, _types: _Types) -> Iterator[pa.RecordBatch]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=BLOCK_ROWS)


def _jsonl_batches(path: Path, types: _Types) -> Iterator[pa.RecordBatch]:
    # Arrow's streaming reader fixes types by the first block; block by block, integers and floats, or a field that is
    # null for long, are no conflict for a profile.
    from pyarrow import json as arrow_json

    kinds: _Types = {}
    with path.open("rb") as file:
        for first_line, block in _line_blocks(path, file):
            try:
                table = arrow_json.read_json(
                    io.BytesIO(block),
                    read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                    parse_options=arrow_json.ParseOptions(explicit_schema=pa.schema(list(types.items()))),
                )
            except pa.ArrowInvalid as error:
                line, reason = _bad_json_line(block)
                raise DataFileError(path, reason or _first_line(error), first_line + line) from error
            for field in table.schema:
                known = kinds.setdefault(field.name, field.type)
                # Strings that look like times are read as times, until one does not.
                if pa.types.is_null(known):
                    kinds[field.name] = field.type
                elif {known, field.type} == {pa.string(), pa.timestamp("s")}:
                    raise _TooNarrowError(field.name, pa.string())
            yield from table.to_batches(max_chunksize=BLOCK_ROWS)


def _line_blocks(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    line = 1
    while block := file.read(BLOCK_BYTES):
        if not block.endswith(b"\n"):
            block += file.readline(LONGEST_LINE_BYTES)
            if len(block) >= LONGEST_LINE_BYTES:
                raise DataFileError(path, f"a line is longer than {LONGEST_LINE_BYTES} bytes", line)
        if block.strip():
            yield line, block
        line += block.count(b"\n")


def _bad_json_line(block: bytes) -> tuple[int, str | None]:
    """The offset of the first line that is not a JSON object or disagrees in type with the ones before, and why."""
    kinds: dict[str, str] = {}
    for offset, line in enumerate(block.split(b"\n")):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            return offset, f"not JSON: {error}"
        if not isinstance(row, dict):
            return offset, f"a row must be a JSON object, this is {_json_kind(row)}"
        for name, value in row.items():
            kind = _json_kind(value)
            if kind != "null" and kinds.setdefault(name, kind) != kind:
                return offset, f"column {name!r} was {kinds[name]} in the rows before, this is {kind}"
    return 0, None


def _json_kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


_READERS: Final[dict[FileFormat, _Reader]] = {"csv": _csv_batches, "parquet": _parquet_batches, "jsonl": _jsonl_batches}


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
