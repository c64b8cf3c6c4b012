"""Tables in files, read once in blocks of rows: memory does not grow with the file."""

import io
import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, Literal, TypeVar

import pyarrow as pa

from modelyard_profiles.errors import DataFileError, ProfileError

FileFormat = Literal["csv", "parquet", "jsonl"]
Types = dict[str, pa.DataType]
Batches = Generator[pa.RecordBatch, None, None]

BLOCK_BYTES: Final = 4 << 20
BLOCK_ROWS: Final = 65_536
LONGEST_LINE_BYTES: Final = 64 << 20
FORMATS: Final[tuple[FileFormat, ...]] = ("csv", "parquet", "jsonl")
_SUFFIXES: Final[dict[str, FileFormat]] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
CSV_MISSING: Final = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_CSV_ROW: Final = re.compile(r"Row #(\d+): ")
_CSV_COLUMN: Final = re.compile(r"In CSV column #(\d+): .*CSV conversion error")
_BUFFER_BYTES: Final = 1 << 20

T = TypeVar("T")


class TooNarrowError(Exception):
    """A column's type, guessed from the file's first block, does not fit a later value."""

    def __init__(self, column: str, wider: pa.DataType) -> None:
        super().__init__(column)
        self.column = column
        self.wider = wider


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file to be read, perhaps more than once: `opened` opens it anew, from its start. Parquet files must be seekable."""

    name: str
    opened: Callable[[], BinaryIO] = field(repr=False)

    @classmethod
    def at(cls, path: Path, name: str | None = None) -> "DataFile":
        """A file on disk; `name` is what errors call it, else its own."""
        return cls(name or path.name, lambda: path.open("rb"))


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvOptions:
    """How delimited text is written. `names` None takes them from the first line."""

    delimiter: str = ","
    encoding: str = "utf8"
    names: tuple[str, ...] | None = None
    skip_lines: int = 0
    multi_line: bool = True
    missing: tuple[str, ...] = CSV_MISSING
    infer_types: bool = True


def format_of(path: Path | PurePosixPath) -> FileFormat | None:
    """The format that the file's name tells, or None when it is not one of tabular data."""
    return _SUFFIXES.get(path.suffix.lower())


def widened(consume: Callable[[Types], T]) -> T:
    """What `consume` makes of a table, given the types its columns must have: called anew, with a wider type, when a later
    value does not fit the type guessed from the first block. So a column's type is that of the whole file."""
    types: Types = {}
    while True:  # ends: every turn widens a column's type, and a string is as wide as it gets
        try:
            return consume(types)
        except TooNarrowError as error:
            types = types | {error.column: error.wider}


def batches(file: DataFile, file_format: FileFormat, types: Types, csv: CsvOptions | None = None) -> Batches:
    """The rows of a file in batches. Use it within `widened`.

    Raises DataFileError, with the line where one is to blame; TooNarrowError.
    """
    with _reading(file):
        match file_format:
            case "csv":
                yield from _csv_batches(file, types, csv or CsvOptions())
            case "parquet":
                yield from parquet_rows(file, 0, BLOCK_ROWS)
            case "jsonl":
                yield from _jsonl_batches(file, types)


@contextmanager
def _reading(file: DataFile) -> Iterator[None]:
    """Turns what readers raise into DataFileError; errors of whoever opens the file pass as they are."""
    try:
        yield
    except DataFileError:
        raise
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataFileError(Path(file.name), first_line(error)) from error
    except ProfileError as error:
        raise DataFileError(Path(file.name), str(error)) from error


def csv_names(file: DataFile, options: CsvOptions) -> tuple[str, ...]:
    """The names in the first line; with `names` set to (), as many made-up ones (`Column1` …) as that line has fields.

    Raises DataFileError.
    """
    from pyarrow import csv

    with file.opened() as content:
        try:
            reader = csv.open_csv(
                content,
                read_options=_reads(options, autogenerate_column_names=options.names == ()),
                parse_options=_parses(options),
            )
        except (pa.ArrowException, UnicodeError) as error:
            raise DataFileError(Path(file.name), first_line(error)) from error
        found = tuple(reader.schema.names)
        reader.close()
    return tuple(f"Column{number}" for number in range(1, len(found) + 1)) if options.names == () else found


def _reads(options: CsvOptions, **names: Any) -> Any:
    """One thread: with more, Arrow does not say which row is bad. Reading ahead still overlaps with what is done elsewhere."""
    from pyarrow import csv

    return csv.ReadOptions(
        block_size=BLOCK_BYTES, use_threads=False, encoding=options.encoding, skip_rows=options.skip_lines, **names
    )


def _parses(options: CsvOptions) -> Any:
    from pyarrow import csv

    return csv.ParseOptions(delimiter=options.delimiter, newlines_in_values=options.multi_line)


def _csv_batches(file: DataFile, types: Types, options: CsvOptions) -> Batches:
    from pyarrow import csv

    if options.names == ():
        options = replace(options, names=csv_names(file, options))
    if not options.infer_types:
        types = {name: pa.string() for name in options.names or csv_names(file, options)} | types
    reader = None
    with file.opened() as content:
        try:
            reader = csv.open_csv(
                content,
                read_options=_reads(options, column_names=list(options.names) if options.names is not None else None),
                parse_options=_parses(options),
                convert_options=csv.ConvertOptions(
                    column_types=types,
                    null_values=list(options.missing),
                    strings_can_be_null=bool(options.missing),
                    quoted_strings_can_be_null=False,
                ),
            )
            for column in reader.schema:
                if pa.types.is_binary(column.type):  # what Arrow makes of bytes that are not UTF-8: as text, an error
                    raise TooNarrowError(column.name, pa.string())
            yield from reader
        except pa.ArrowInvalid as error:
            message = first_line(error)
            at = _CSV_COLUMN.match(message)
            if at is not None and reader is not None:
                column = reader.schema.field(int(at[1]))
                wider = _wider(column.type)
                if wider is not None:
                    raise TooNarrowError(column.name, wider) from error
            row = _CSV_ROW.search(message)
            reason = _CSV_ROW.sub("", message)
            raise DataFileError(Path(file.name), reason, int(row[1]) if row is not None else None) from error
        finally:
            if reader is not None:
                reader.close()


def _wider(guessed: pa.DataType) -> pa.DataType | None:
    if pa.types.is_null(guessed) or pa.types.is_integer(guessed):
        return pa.float64()
    return None if pa.types.is_string(guessed) else pa.string()


def parquet_rows(file: DataFile, offset: int, batch_rows: int) -> Batches:
    """The rows from `offset` on; the row groups before it are not read. Raises DataFileError."""
    from pyarrow import parquet

    with (
        _reading(file),
        file.opened() as content,
        parquet.ParquetFile(content, buffer_size=_BUFFER_BYTES, pre_buffer=False) as table,
    ):
        groups: Sequence[int] = range(table.num_row_groups)
        while groups and offset >= (rows := table.metadata.row_group(groups[0]).num_rows):
            offset -= rows
            groups = groups[1:]
        for batch in table.iter_batches(batch_size=batch_rows, row_groups=list(groups)) if groups else ():
            if offset < batch.num_rows:
                yield batch.slice(offset)
            offset = max(offset - batch.num_rows, 0)


def _jsonl_batches(file: DataFile, types: Types) -> Batches:
    # Arrow's streaming reader fixes types by the first block; block by block, integers and floats, or a field that is
    # null for long, are no conflict for a profile.
    from pyarrow import json as arrow_json

    path = Path(file.name)
    kinds: Types = {}
    with file.opened() as content:
        for starts_at, block in _line_blocks(path, content):
            try:
                table = arrow_json.read_json(
                    io.BytesIO(block),
                    read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                    parse_options=arrow_json.ParseOptions(explicit_schema=pa.schema(list(types.items()))),
                )
            except pa.ArrowInvalid as error:
                line, reason = _bad_json_line(block)
                raise DataFileError(path, reason or first_line(error), starts_at + line) from error
            for column in table.schema:
                known = kinds.setdefault(column.name, column.type)
                # Strings that look like times are read as times, until one does not.
                if pa.types.is_null(known):
                    kinds[column.name] = column.type
                elif {known, column.type} == {pa.string(), pa.timestamp("s")}:
                    raise TooNarrowError(column.name, pa.string())
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


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
