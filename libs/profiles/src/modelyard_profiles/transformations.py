"""What an MLTable does to the rows that it has read, batch by batch."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_profiles.errors import ProfileError
from modelyard_profiles.filters import FilterError, parse_filter
from modelyard_profiles.readers import Batches

Transform = Callable[[Batches], Batches]
Refuse = Callable[[str, int], ProfileError]

NAMES: Final = (
    "take", "skip", "keep_columns", "drop_columns", "convert_column_types", "filter", "take_random_sample", "sample",
)  # fmt: skip
_TYPES: Final[dict[str, pa.DataType]] = {"string": pa.string(), "int": pa.int64(), "float": pa.float64()}
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True, slots=True)
class Step:
    """A transformation as it is written; `line` is where."""

    name: str
    options: Any
    line: int


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns: by name, or by a pattern of names (a regular expression, as in `mltable`: RE2, which no pattern keeps busy)."""

    names: tuple[str, ...]
    pattern: str | None = None
    ignore_case: bool = False
    invert: bool = False

    def among(self, there: list[str]) -> list[str]:
        if self.pattern is not None:
            found = _matches(there, self.pattern, ignore_case=self.ignore_case)
            return [name for name, match in zip(there, found, strict=True) if match != self.invert]
        if absent := [name for name in self.names if name not in there]:
            raise ValueError(f"there is no column {absent[0]!r}; there are {', '.join(there[:20])}")
        return [name for name in there if name in self.names]


def compiled(step: Step, refuse: Refuse) -> Transform:
    """What the step does. Raises what `refuse` makes of a reason and a line."""
    match step.name:
        case "take" | "skip":
            if not isinstance(step.options, int) or isinstance(step.options, bool) or step.options < 0:
                raise refuse(f"{step.name} takes a number of rows", step.line)
            count = step.options
            return (lambda rows: _take(rows, count)) if step.name == "take" else (lambda rows: _skip(rows, count))
        case "keep_columns" | "drop_columns":
            columns, keep = _columns(step.options, step, refuse), step.name == "keep_columns"
            return lambda rows: _select(rows, columns, keep=keep)
        case "convert_column_types":
            if not isinstance(step.options, list):
                raise refuse("convert_column_types takes a list of `columns` and `column_type`", step.line)
            conversions = [_conversion(entry, step, refuse) for entry in step.options]
            return lambda rows: _convert(rows, conversions)
        case "filter":
            if not isinstance(step.options, str):
                raise refuse("filter takes an expression, such as 'col(\"x\") > 1'", step.line)
            try:
                expression, needed = parse_filter(step.options)
            except FilterError as error:
                raise refuse(str(error), step.line) from error
            return lambda rows: _filter(rows, expression, needed)
        case _:
            return _sampler(step, refuse)


def overrides(step: Step, refuse: Refuse) -> list[tuple[Step, Transform]]:
    """The `column_type_overrides` of read_delimited, as the conversion that they are."""
    inferred = step.options.get("infer_column_types")
    written = inferred.get("column_type_overrides") if isinstance(inferred, dict) else None
    if not written:
        return []
    conversion = Step("convert_column_types", written, step.line)
    return [(conversion, compiled(conversion, refuse))]


def converted(step: Step) -> list[str]:
    """The columns, by name, that a step converts."""
    if step.name != "convert_column_types":
        return []
    named = [entry.get("columns") for entry in step.options if isinstance(entry, dict)]
    return [
        name
        for names in named
        for name in ([names] if isinstance(names, str) else names if isinstance(names, list) else [])
    ]


def _columns(written: Any, step: Step, refuse: Refuse) -> _Columns:
    match written:
        case str():
            return _Columns((written,))
        case list() if written and all(isinstance(name, str) for name in written):
            return _Columns(tuple(written))
        case {"pattern": str(pattern), **rest} if rest.keys() <= {"ignore_case", "invert"}:
            try:
                _matches([""], pattern, ignore_case=False)
            except pa.ArrowInvalid as error:
                raise refuse(f"{pattern!r} is no regular expression: {error}", step.line) from error
            return _Columns((), pattern, bool(rest.get("ignore_case")), bool(rest.get("invert")))
        case _:
            raise refuse(f"{step.name} takes a column, a list of columns, or a `pattern`", step.line)


def _matches(names: list[str], pattern: str, *, ignore_case: bool) -> list[bool]:
    whole = rf"\A(?:{pattern})\z"
    found = pc.match_substring_regex(pa.array(names, pa.string()), whole, ignore_case=ignore_case)
    return [bool(match) for match in found.to_pylist()]


_Cast = Callable[["pa.Array[Any]"], "pa.Array[Any]"]


def _conversion(entry: Any, step: Step, refuse: Refuse) -> tuple[_Columns, _Cast]:
    if not isinstance(entry, dict) or set(entry) != {"columns", "column_type"}:
        raise refuse("a conversion has `columns` and `column_type`", step.line)
    columns = _columns(entry["columns"], step, refuse)
    match entry["column_type"]:
        case "stream_info" | {"stream_info": _}:
            raise refuse("column_type stream_info (files named in a column) is not supported", step.line)
        case "boolean":
            return columns, lambda values: _as_boolean(values, _TRUE, _FALSE, "error")
        case {"boolean": dict(words)}:
            true = tuple(str(word).lower() for word in words.get("true_values") or _TRUE)
            false = tuple(str(word).lower() for word in words.get("false_values") or _FALSE)
            mismatch = str(words.get("mismatch_as", "error")).lower()
            return columns, lambda values: _as_boolean(values, true, false, mismatch)
        case {"datetime": {"formats": str() | list() as formats}}:
            several = [formats] if isinstance(formats, str) else [str(one) for one in formats]
            for one in several:
                _check_format(one, step, refuse)
            return columns, lambda values: _as_time(values, several)
        case str(name) if name in _TYPES:
            arrow = _TYPES[name]
            return columns, lambda values: values.cast(arrow)
        case other:
            raise refuse(
                f"unknown column_type {other!r}; known are boolean, float, string, int and datetime", step.line
            )


def _check_format(written: str, step: Step, refuse: Refuse) -> None:
    try:
        datetime.strptime("", written)  # noqa: DTZ007 - only the format is looked at
    except re.error as error:  # such as the year twice
        raise refuse(f"{written!r} is no format of times: {error}", step.line) from error
    except ValueError as error:
        if "does not match format" not in str(error):
            raise refuse(f"{written!r} is no format of times: {error}", step.line) from error


def _take(rows: Batches, count: int) -> Batches:
    for batch in rows if count else ():
        yield batch.slice(0, count)
        count -= batch.num_rows
        if count <= 0:
            return


def _skip(rows: Batches, count: int) -> Batches:
    for batch in rows:
        yield batch.slice(min(count, batch.num_rows))
        count = max(count - batch.num_rows, 0)


def _select(rows: Batches, columns: _Columns, *, keep: bool) -> Batches:
    for batch in rows:
        there = list(batch.schema.names)
        named = set(columns.among(there))
        yield batch.select([name for name in there if (name in named) == keep])


def _filter(rows: Batches, expression: pc.Expression, needed: frozenset[str]) -> Batches:
    for batch in rows:
        there = batch.schema.names
        if absent := sorted(needed - set(there)):
            raise ValueError(f"there is no column {absent[0]!r}; there are {', '.join(there[:20])}")
        yield from pa.Table.from_batches([batch]).filter(expression).to_batches()


def _convert(rows: Batches, conversions: list[tuple[_Columns, _Cast]]) -> Batches:
    for batch in rows:
        names = list(batch.schema.names)
        arrays = dict(zip(names, batch.columns, strict=True))
        for columns, cast in conversions:
            for name in columns.among(names):
                try:
                    arrays[name] = cast(arrays[name])
                except (pa.ArrowException, ValueError) as error:
                    raise ValueError(f"column {name!r}: {str(error).splitlines()[0]}") from error
        yield pa.RecordBatch.from_arrays(list(arrays.values()), names=names)


def _as_boolean(
    values: "pa.Array[Any]", true: tuple[str, ...], false: tuple[str, ...], mismatch: str
) -> "pa.Array[Any]":
    meaning: dict[str, bool] = dict.fromkeys(true, True) | dict.fromkeys(false, False)

    def read(text: str) -> bool:
        known = meaning.get(text.lower(), {"true": True, "false": False}.get(mismatch))
        if known is None:
            raise ValueError(f"{text[:50]!r} is neither true ({', '.join(true)}) nor false ({', '.join(false)})")
        return known

    return _each(values, read, pa.bool_())


def _as_time(values: "pa.Array[Any]", formats: list[str]) -> "pa.Array[Any]":
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        return values.cast(pa.timestamp("us"))

    def read(text: str) -> datetime:
        for one in formats:
            try:
                found = datetime.strptime(text, one)  # noqa: DTZ007 - a zone is in the format or there is none
            except ValueError:
                continue
            return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)
        raise ValueError(f"{text[:50]!r} is not written as {' or '.join(formats)}")

    return _each(values, read, pa.timestamp("us"))


def _each(values: "pa.Array[Any]", read: Callable[[str], Any], arrow: pa.DataType) -> "pa.Array[Any]":
    """Different values are read once each: dates and truth values repeat."""
    coded = values.cast(pa.string()).dictionary_encode()
    known = pa.array([read(str(text)) for text in coded.dictionary.to_pylist()], arrow)
    return known.take(coded.indices)


def _sampler(step: Step, refuse: Refuse) -> Transform:
    options = step.options
    if step.name == "sample" and isinstance(options, dict):
        if options.get("sampler") not in ("random_percent", "randomPercent"):
            raise refuse("the only `sampler` is random_percent", step.line)
        options = options.get("sampler_arguments")
    probability = options.get("probability") if isinstance(options, dict) else None
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise refuse(f"{step.name} needs a `probability` from 0 to 1", step.line)
    seed = options.get("seed")
    if not isinstance(seed, int) or seed < 0:
        raise refuse(
            f"{step.name} needs a `seed`, a number: else the same version would be another table each time", step.line
        )
    return lambda rows: _sample(rows, float(probability), seed)


def _sample(rows: Batches, probability: float, seed: int) -> Batches:
    generator = np.random.default_rng(seed)
    for batch in rows:
        yield batch.filter(pa.array(generator.random(batch.num_rows) < probability))
