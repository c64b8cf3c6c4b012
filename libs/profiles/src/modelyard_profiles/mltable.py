"""MLTable files: YAML beside the data that says which files make a table, and how (schema: `MLTable.json` of Azure ML's `mltable`)."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa
import yaml

from modelyard_profiles import transformations
from modelyard_profiles.errors import DataFileError, ProfileError
from modelyard_profiles.readers import (
    Batches,
    CsvOptions,
    DataFile,
    FileFormat,
    TooNarrowError,
    Types,
    batches,
    csv_names,
)
from modelyard_profiles.transformations import Step, Transform

FILE_NAME: Final = "MLTable"
LONGEST_BYTES: Final = 1 << 20
MOST_PATHS: Final = 1000
_LONGEST_PATH: Final = 1024
_KEYS: Final = frozenset({"$schema", "type", "paths", "transformations", "metadata", "traits"})
_PATH_KINDS: Final = ("file", "folder", "pattern")
_ENCODINGS: Final = {
    "utf8": "utf8", "utf-8": "utf8", "utf8 bom": "utf-8-sig", "utf8bom": "utf-8-sig", "utf-8 bom": "utf-8-sig",
    "iso88591": "latin1", "iso-8859-1": "latin1", "latin1": "latin1", "latin-1": "latin1", "ascii": "ascii",
    "utf16": "utf16", "utf-16": "utf16", "windows1252": "cp1252", "windows-1252": "cp1252",
}  # fmt: skip
_HEADERS: Final = ("no_header", "from_first_file", "all_files_different_headers", "all_files_same_headers")
_READERS: Final[dict[str, FileFormat]] = {
    "read_delimited": "csv",
    "read_parquet": "parquet",
    "read_json_lines": "jsonl",
}
_OPTIONS: Final = {
    "read_delimited": frozenset({"delimiter", "header", "support_multi_line", "empty_as_string", "encoding",
                                 "include_path_column", "infer_column_types", "path_column", "partition_size"}),
    "read_parquet": frozenset({"include_path_column", "path_column"}),
    "read_json_lines": frozenset({"invalid_lines", "encoding", "include_path_column", "path_column", "partition_size"}),
}  # fmt: skip
_REFUSED: Final = {
    "read_delta_lake": "Delta tables are not read here; write the table as Parquet files",
    "extract_columns_from_partition_format": "columns in paths are not read here; write them into the files",
    "select_partitions": "files are not cut into partitions here; name the files in `paths`",
}


class MLTableError(ProfileError):
    """An MLTable file that cannot be used; `line` (from 1) says where."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(f"{FILE_NAME}, line {line}: {reason}" if line is not None else f"{FILE_NAME}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class TablePath:
    """One entry of `paths`: a `file`, a `folder` (everything below it) or a `pattern` (`*`, `?`, `**`), relative to the MLTable file."""

    kind: str
    path: str
    line: int

    def among(self, available: Collection[str]) -> list[str]:
        """Those of the tree's files that it names, in their order."""
        if self.kind == "file":
            return [self.path] if self.path in available else []
        if self.kind == "folder":
            return [path for path in available if self.path == "." or path.startswith(f"{self.path}/")]
        pattern = _pattern(self.path)
        return [path for path in available if pattern.fullmatch(path)]


@dataclass(frozen=True, kw_only=True, slots=True)
class MLTable:
    """A parsed MLTable file. `reader` is None when it only lists files, which make no table then."""

    paths: tuple[TablePath, ...]
    reader: Step | None
    steps: tuple[tuple[Step, Transform], ...]

    def files(self, available: Iterable[str]) -> list[str]:
        """The table's files, in order, of the tree's files `available` (paths relative to the MLTable file).

        Raises MLTableError, with the line, for a path at which there is nothing.
        """
        there = dict.fromkeys(sorted(path for path in available if path != FILE_NAME))
        chosen: dict[str, None] = {}
        for entry in self.paths:
            found = entry.among(there)
            if not found:
                few = ", ".join([*there][:5]) or "no other files"
                raise MLTableError(
                    f"there is nothing at {entry.kind} {entry.path!r}; beside it there are {few}", entry.line
                )
            chosen |= dict.fromkeys(found)
        return list(chosen)

    def batches(self, files: Sequence[DataFile], types: Types) -> Batches:
        """The table's rows. Use it within `readers.widened`. Raises MLTableError, DataFileError."""
        if self.reader is None:
            names = ", ".join(_READERS)
            raise MLTableError(f"it lists files and has no transformation that reads them as a table ({names})")
        rows = self._read(self.reader, files, types)
        for step, transform in self.steps:
            rows = _guarded(step, transform, rows)
        return rows

    def _read(self, reader: Step, files: Sequence[DataFile], types: Types) -> Batches:
        options = reader.options
        path_column = options.get("path_column") or ("Path" if options.get("include_path_column") else None)
        # What is to be converted is read as it is written: as text.
        as_text = {name: pa.string() for step, _ in self.steps for name in transformations.converted(step)}
        csv = _csv_options(options) if reader.name == "read_delimited" else None
        first: tuple[str, ...] | None = None
        seen: Types = {}
        for at, file in enumerate(files):
            own = csv
            if csv is not None:
                known = as_text | types
                header = options.get("header", "all_files_same_headers")
                if header in ("from_first_file", "all_files_same_headers") and at == 0:
                    first = csv_names(file, csv)
                elif header in ("from_first_file", "all_files_same_headers"):
                    skip = 1 if header == "all_files_same_headers" else 0
                    own = _csv_options(options, names=first, skip_lines=skip)
            else:
                known = types
            for batch in batches(file, _READERS[reader.name], known, own):
                if csv is not None:
                    _require_one_type(seen, batch.schema)
                yield batch if path_column is None else _with_path(batch, path_column, file.name)


def parse(text: bytes) -> MLTable:
    """An MLTable file. Raises MLTableError for what is no MLTable, and for what it asks for that is not done here, by name."""
    if len(text) > LONGEST_BYTES:
        raise MLTableError(f"it is longer than {LONGEST_BYTES} bytes")
    document, lines = _load(text)
    if not isinstance(document, dict):
        raise MLTableError("it must be a mapping with `paths`", 1)
    if "query_source" in document:
        raise MLTableError(
            "`query_source` (a query to a data store) is not supported; export the data to files", lines["query_source"]
        )
    for key in document:
        if key not in _KEYS:
            raise MLTableError(f"unknown key {key!r}; known are {', '.join(sorted(_KEYS))}", lines[str(key)])
    if document.get("type", "mltable") != "mltable":
        raise MLTableError("`type` must be mltable", lines["type"])
    entries = document.get("paths")
    if not isinstance(entries, list) or not entries:
        raise MLTableError("`paths` must list at least one file, folder or pattern", lines["paths"])
    if len(entries) > MOST_PATHS:
        raise MLTableError(f"{len(entries)} `paths` are too many: at most {MOST_PATHS}; name a folder", lines["paths"])
    paths = tuple(_path(entry, lines[f"paths.{at}"]) for at, entry in enumerate(entries))
    return _with_steps(paths, document.get("transformations") or [], lines)


def _with_steps(paths: tuple[TablePath, ...], written: Any, lines: dict[str, int]) -> MLTable:
    if not isinstance(written, list):
        raise MLTableError("`transformations` must be a list", lines["transformations"])
    reader: Step | None = None
    steps: list[tuple[Step, Transform]] = []
    for at, entry in enumerate(written):
        step = _step(entry, lines[f"transformations.{at}"])
        if step.name in _READERS:
            if reader is not None or steps:
                raise MLTableError(
                    f"{step.name} must be the first transformation, and the only one that reads", step.line
                )
            reader = _checked_reader(step)
            steps += transformations.overrides(step, _error)
        elif reader is None:
            raise MLTableError(f"{step.name} needs a table: begin with one of {', '.join(_READERS)}", step.line)
        else:
            steps.append((step, transformations.compiled(step, _error)))
    return MLTable(paths=paths, reader=reader, steps=tuple(steps))


def _path(entry: Any, line: int) -> TablePath:
    if not isinstance(entry, dict) or len(entry) != 1 or (kind := next(iter(entry))) not in _PATH_KINDS:
        raise MLTableError("a path is one of `file: …`, `folder: …`, `pattern: …`", line)
    written = entry[kind]
    if not isinstance(written, str) or not written:
        raise MLTableError(f"`{kind}` must be text", line)
    if re.match(r"^([A-Za-z][A-Za-z0-9+.-]*:|/|\\)", written):
        raise MLTableError(
            f"{written!r} lies outside of the table's own folder; only files beside the MLTable are read", line
        )
    parts = PurePosixPath(written).parts
    if len(written) > _LONGEST_PATH:
        raise MLTableError(f"{written[:100]!r}… is longer than {_LONGEST_PATH} characters", line)
    if ".." in parts:
        raise MLTableError(f"{written!r} leads out of the table's own folder", line)
    return TablePath(kind, "/".join(parts) or ".", line)


def _step(entry: Any, line: int) -> Step:
    name: Any = entry
    options: Any = None
    if isinstance(entry, dict) and len(entry) == 1:
        name, options = next(iter(entry.items()))
    if not isinstance(name, str):
        raise MLTableError("a transformation is a name, or one name with its options", line)
    if name in _REFUSED:
        raise MLTableError(f"{name} is not supported: {_REFUSED[name]}", line)
    if name not in _READERS and name not in transformations.NAMES:
        known = ", ".join((*_READERS, *transformations.NAMES))
        raise MLTableError(f"unknown transformation {name!r}; known are {known}", line)
    if options is None and name in _READERS:
        options = {}
    return Step(name, options, line)


def _checked_reader(step: Step) -> Step:
    if not isinstance(step.options, dict):
        raise MLTableError(f"the options of {step.name} must be a mapping", step.line)
    known = _OPTIONS[step.name]
    if unknown := sorted(str(key) for key in step.options if key not in known):
        raise MLTableError(f"{step.name} has no option {unknown[0]!r}; it has {', '.join(sorted(known))}", step.line)
    if step.options.get("encoding", "utf8") not in _ENCODINGS:
        raise MLTableError(
            f"unknown encoding {step.options['encoding']!r}; known are {', '.join(_ENCODINGS)}", step.line
        )
    if step.name == "read_json_lines":
        if _ENCODINGS[step.options.get("encoding", "utf8")] not in ("utf8", "ascii"):
            raise MLTableError("JSON lines are read as utf8 only", step.line)
        if step.options.get("invalid_lines", "error") != "error":
            raise MLTableError(
                "`invalid_lines: drop` is not supported: a line that is no JSON is an error here", step.line
            )
    if step.options.get("header", "no_header") not in _HEADERS:
        raise MLTableError(f"`header` must be one of {', '.join(_HEADERS)}", step.line)
    delimiter = step.options.get("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or not delimiter.isascii():
        raise MLTableError(f"`delimiter` must be one ASCII character, not {delimiter!r}", step.line)
    return step


def _csv_options(options: dict[str, Any], *, names: tuple[str, ...] | None = None, skip_lines: int = 0) -> CsvOptions:
    plain = CsvOptions(
        delimiter=options.get("delimiter", ","),
        encoding=_ENCODINGS[options.get("encoding", "utf8")],
        names=() if options.get("header") == "no_header" else names,
        skip_lines=skip_lines,
        multi_line=bool(options.get("support_multi_line", False)),
        infer_types=options.get("infer_column_types", True) is not False,
    )
    if not options.get("empty_as_string", False):
        return plain
    return CsvOptions(**{name: getattr(plain, name) for name in CsvOptions.__slots__} | {"missing": ()})


def _require_one_type(seen: Types, schema: pa.Schema) -> None:
    """A column's type is that of all files: one that is guessed otherwise in a later file is read anew, as what holds both."""
    for field in schema:
        known = seen.setdefault(field.name, field.type)
        if known == field.type or pa.types.is_null(field.type):
            continue
        if pa.types.is_null(known):
            seen[field.name] = field.type
            continue
        numbers = all(pa.types.is_integer(one) or pa.types.is_floating(one) for one in (known, field.type))
        raise TooNarrowError(field.name, pa.float64() if numbers else pa.string())


def _with_path(batch: pa.RecordBatch, column: str, path: str) -> pa.RecordBatch:
    paths = pa.array([path] * batch.num_rows, pa.string())
    return pa.RecordBatch.from_arrays([paths, *batch.columns], names=[column, *batch.schema.names])


def _guarded(step: Step, transform: Transform, rows: Batches) -> Batches:
    try:
        yield from transform(rows)
    except (pa.ArrowException, ValueError) as error:
        raise MLTableError(f"{step.name}: {str(error).splitlines()[0]}", step.line) from error


def _error(reason: str, line: int) -> ProfileError:
    return MLTableError(reason, line)


def _pattern(text: str) -> re.Pattern[str]:
    """`**/` any folders or none, `**` anything, `*` and `?` all but a slash.

    What follows a wildcard is taken where it first occurs, for good (`(?>…)`): a later place could not make more of the rest match. So
    no text takes longer than its length squared. Only the last `**` and the `*` at the very end have to find the end of the path.
    """
    leads = {"**/": "(?:.*?/)??", "**": ".*?"}
    blocks: list[tuple[str, list[str]]] = [("", [""])]
    for piece in re.split(r"(\*\*/|\*\*|\*|\?)", text):
        if piece in leads:
            blocks.append((leads[piece], [""]))
        elif piece == "*":
            blocks[-1][1].append("")
        else:
            blocks[-1][1][-1] += "[^/]" if piece == "?" else re.escape(piece)
    *before, (lead, (first, *others)) = blocks
    begin = "".join(f"(?>{lead}{head}{''.join(f'(?>[^/]*?{one})' for one in rest)})" for lead, (head, *rest) in before)
    inner = "".join(f"(?>[^/]*?{one})" for one in others[:-1])
    return re.compile(f"{begin}{lead}{first}{inner}" + (f"[^/]*{others[-1]}" if others else ""), re.DOTALL)


def _load(text: bytes) -> tuple[Any, dict[str, int]]:
    """The YAML document, and the line of each key and list item by its path (`paths.0`). Anchors are refused."""
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise MLTableError(
                    "anchors and aliases are not used in an MLTable",
                    event.start_mark.line + 1 if event.start_mark else None,
                )
        node = yaml.compose(text, yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise MLTableError(f"not YAML: {error.problem}", line) from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise MLTableError(f"not YAML: {str(error).splitlines()[0]}") from error
    lines = defaultdict[str, int](lambda: 1)  # what a merge (`<<`) brings has no line of its own
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[key.value] = key.start_mark.line + 1
            if isinstance(value, yaml.SequenceNode):
                lines |= {f"{key.value}.{at}": item.start_mark.line + 1 for at, item in enumerate(value.value)}
    return document, lines


def load_folder(root: Path) -> Callable[[Types], Batches]:
    """The table of a folder with an MLTable file, to be read within `readers.widened`. Raises MLTableError."""
    at = root / FILE_NAME
    if not at.is_file():
        raise MLTableError(f"the folder {root.name} has no file called {FILE_NAME}")
    table = parse(at.read_bytes())
    files = [DataFile.at(root / path, path) for path in table.files(_files_below(root))]
    return lambda types: table.batches(files, types)


def _files_below(root: Path) -> Iterator[str]:
    return (path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


__all__ = ["FILE_NAME", "DataFileError", "MLTable", "MLTableError", "load_folder", "parse"]
