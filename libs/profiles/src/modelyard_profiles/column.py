"""What is known of one column."""

import math
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelyard_profiles.categories import CategorySketch
from modelyard_profiles.errors import ColumnConflictError
from modelyard_profiles.numeric import NumericSketch

SUMMARY_RANKS: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
SUMMARY_TOP: Final = 10
DOCUMENT_RANKS: Final = (
    0.0,
    0.01,
    0.05,
    *(i / 10 for i in range(1, 5)),
    0.5,
    *(i / 10 for i in range(6, 10)),
    0.95,
    0.99,
    1.0,
)
DOCUMENT_TOP: Final = 50
HISTOGRAM_BINS: Final = 20
MAX_VALUE_CHARACTERS: Final = 256  # longer texts are told apart by their first characters only


class LogicalType(StrEnum):
    """What a column's values mean to a reader, whatever they are stored as."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    TEXT = "text"
    OTHER = "other"  # nested, binary: only counted
    UNKNOWN = "unknown"  # every value so far is missing


_NUMERIC_KINDS: Final = frozenset({LogicalType.NUMERIC, LogicalType.TIMESTAMP})
_CATEGORY_KINDS: Final = frozenset({LogicalType.CATEGORICAL, LogicalType.BOOLEAN})


class ColumnProfile:
    """The profile of one column; mergeable with that of the same column over other rows.

    `count` values are there, `missing` are not (null or NaN). Timestamps are kept as microseconds since 1970, UTC.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0
        self.missing = 0
        self.numbers: NumericSketch | None = None
        self.categories: CategorySketch | None = None
        self.kind = LogicalType.UNKNOWN

    @property
    def type(self) -> LogicalType:
        """Strings are text, not categories, once most of them differ and there are too many to count one by one."""
        categories = self.categories
        if categories is not None and not categories.exact and categories.distinct > categories.count / 2:
            return LogicalType.TEXT
        return self.kind

    def update(self, values: "pa.Array[Any]") -> None:
        """Takes in an Arrow array of any type; raises ColumnConflictError when it is of another kind than before."""
        kind = _kind_of(values.type)
        present = len(values) - values.null_count
        if kind is LogicalType.UNKNOWN or present == 0:
            self.missing += len(values)
            return
        self._become(kind)
        if self.numbers is not None:
            numbers = _as_float64(values)
            missing = np.isnan(numbers)
            present = int(numbers.size - np.count_nonzero(missing))
            self.numbers.update(numbers if present == numbers.size else numbers[~missing])
        elif self.categories is not None:
            counted = pc.value_counts(_as_text(values).drop_null())
            values_and_counts = zip(
                counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
            )
            self.categories.update((str(value), int(count or 0)) for value, count in values_and_counts)
        self.count += present
        self.missing += len(values) - present

    def merge(self, other: "ColumnProfile") -> None:
        """Takes in what `other` has seen; raises ColumnConflictError when it is of another kind."""
        if other.kind is not LogicalType.UNKNOWN:
            self._become(other.kind)
        if self.numbers is not None and other.numbers is not None:
            self.numbers.merge(other.numbers)
        if self.categories is not None and other.categories is not None:
            self.categories.merge(other.categories)
        self.count += other.count
        self.missing += other.missing

    def summary(self) -> dict[str, Any]:
        """What a person wants to read, as JSON: type, counts, and quantiles or the most frequent values."""
        read: dict[str, Any] = {"type": str(self.type), "count": self.count, "missing": self.missing}
        if self.numbers is not None and self.numbers.count:
            show = _iso_time if self.kind is LogicalType.TIMESTAMP else _finite
            quantiles = self.numbers.quantiles(list(SUMMARY_RANKS))
            read |= {"min": show(self.numbers.min), "max": show(self.numbers.max), "mean": show(self.numbers.mean)}
            if self.kind is LogicalType.NUMERIC:
                read["std"] = _finite(self.numbers.std)
            read["quantiles"] = {str(rank): show(value) for rank, value in zip(SUMMARY_RANKS, quantiles, strict=True)}
        if self.numbers is not None and self.numbers.infinite:
            read["infinite"] = self.numbers.infinite
        if self.categories is not None:
            read |= {
                "distinct": self.categories.distinct,
                "exact": self.categories.exact,
                "top": [{"value": value, "count": count} for value, count in self.categories.top(SUMMARY_TOP)],
            }
        return read

    def document(self) -> dict[str, Any]:
        """All that is worth reading, as JSON: the summary, and more quantiles and top values, the number of distinct values,
        a histogram with its bins' edges (numbers as they are, times as ISO 8601), and how exact these are."""
        read = self.summary()
        if self.numbers is not None and self.numbers.count:
            numbers = self.numbers
            show = _iso_time if self.kind is LogicalType.TIMESTAMP else _finite
            quantiles = numbers.quantiles(list(DOCUMENT_RANKS))
            edges, counts = numbers.histogram(HISTOGRAM_BINS)
            read |= {
                "quantiles": {f"{rank:g}": show(value) for rank, value in zip(DOCUMENT_RANKS, quantiles, strict=True)},
                "histogram": {"edges": [show(edge) for edge in edges], "counts": counts},
                "rank_error": numbers.rank_error,
            }
            if numbers.distinct is not None:
                read |= {"distinct": numbers.distinct.estimate, "exact": numbers.distinct.exact}
        if self.categories is not None:
            top = self.categories.top(DOCUMENT_TOP)
            read |= {
                "top": [{"value": value, "count": count} for value, count in top],
                "other": self.categories.count - sum(count for _, count in top),
            }
        rows = self.count + self.missing
        return read | {"missing_share": self.missing / rows if rows else 0.0}

    def to_json(self) -> dict[str, Any]:
        """For storage; `from_json` reads it back."""
        stored: dict[str, Any] = {"kind": str(self.kind), "count": self.count, "missing": self.missing}
        if self.numbers is not None:
            stored["numbers"] = self.numbers.to_json()
        if self.categories is not None:
            stored["categories"] = self.categories.to_json()
        return stored

    @classmethod
    def from_json(cls, name: str, stored: dict[str, Any]) -> "ColumnProfile":
        """Reads what `to_json` wrote, and nothing else: the caller has checked that it is that."""
        profile = cls(name)
        profile._become(LogicalType(stored["kind"]))
        profile.count = int(stored["count"])
        profile.missing = int(stored["missing"])
        if profile.numbers is not None:
            profile.numbers = NumericSketch.from_json(stored["numbers"])
        if profile.categories is not None:
            profile.categories = CategorySketch.from_json(stored["categories"])
        return profile

    def _become(self, kind: LogicalType) -> None:
        if self.kind is kind:
            return
        if self.kind is not LogicalType.UNKNOWN:
            raise ColumnConflictError(self.name, str(self.kind), str(kind))
        self.kind = kind
        if kind in _NUMERIC_KINDS:
            self.numbers = NumericSketch()
        elif kind in _CATEGORY_KINDS:
            self.categories = CategorySketch()


def _kind_of(arrow: pa.DataType) -> LogicalType:
    types = pa.types
    if types.is_dictionary(arrow):
        return _kind_of(arrow.value_type)
    if types.is_null(arrow):
        return LogicalType.UNKNOWN
    if types.is_boolean(arrow):
        return LogicalType.BOOLEAN
    if types.is_integer(arrow) or types.is_floating(arrow) or types.is_decimal(arrow):
        return LogicalType.NUMERIC
    if types.is_timestamp(arrow) or types.is_date(arrow):
        return LogicalType.TIMESTAMP
    if types.is_string(arrow) or types.is_large_string(arrow) or types.is_string_view(arrow):
        return LogicalType.CATEGORICAL
    return LogicalType.OTHER


def _plain(values: "pa.Array[Any]") -> "pa.Array[Any]":
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _as_float64(values: "pa.Array[Any]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    values = _plain(values)
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        values = values.cast(pa.timestamp("us", getattr(values.type, "tz", None)), safe=False).cast(pa.int64())
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)  # nulls become NaN


def _as_text(values: Any) -> Any:
    values = _plain(values)
    if not pa.types.is_string(values.type):
        values = values.cast(pa.large_string())
    if (pc.max(pc.binary_length(values)).as_py() or 0) > MAX_VALUE_CHARACTERS:
        values = pc.utf8_slice_codeunits(values, 0, MAX_VALUE_CHARACTERS)
    return values


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _iso_time(microseconds: float) -> str | None:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).isoformat()
    except OverflowError:  # Arrow's years reach further than 1 to 9999
        return None
