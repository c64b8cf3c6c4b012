"""Values from a set, summarised in constant memory."""

import base64
from collections.abc import Iterable
from typing import Any, Final

import datasketches

EXACT_CATEGORIES: Final = 1024
FREQUENT_LG_SIZE: Final = 12  # 4,096 slots: a count is off by at most 0.09 % of all values
HLL_LG_K: Final = 12  # distinct values within 1.6 % (one standard deviation), 4 KiB


class CategorySketch:
    """How often each value occurs; mergeable.

    Exact up to EXACT_CATEGORIES distinct values. Past that, frequent items (Anderson et al., "A high-performance
    algorithm for identifying frequent items in data streams", 2017; counts are then lower bounds) and the number of
    distinct values by HyperLogLog (Flajolet et al., 2007).
    """

    def __init__(self) -> None:
        self.count = 0
        self.exact_counts: dict[str, int] | None = {}
        self.frequent = datasketches.frequent_strings_sketch(FREQUENT_LG_SIZE)
        self.distinct_values = datasketches.hll_sketch(HLL_LG_K)

    @property
    def exact(self) -> bool:
        """Whether every value's count is kept and exact."""
        return self.exact_counts is not None

    @property
    def distinct(self) -> int:
        """How many different values there are; an estimate when not `exact`."""
        return len(self.exact_counts) if self.exact_counts is not None else round(self.distinct_values.get_estimate())

    def counts(self) -> dict[str, int]:
        """Counts by value: all of them when `exact`, else lower bounds of those that are surely frequent."""
        if self.exact_counts is not None:
            return dict(self.exact_counts)
        frequent = self.frequent.get_frequent_items(datasketches.frequent_items_error_type.NO_FALSE_POSITIVES)
        return {value: lower for value, _, lower, _ in frequent}

    def top(self, limit: int) -> list[tuple[str, int]]:
        """The `limit` most frequent values, most frequent first, equals by value."""
        return sorted(self.counts().items(), key=lambda item: (-item[1], item[0]))[:limit]

    def update(self, counts: Iterable[tuple[str, int]]) -> None:
        """Takes in values and how often each occurs."""
        for value, count in counts:
            self.count += count
            if self.exact_counts is None:
                self._sketch(value, count)
            else:
                self.exact_counts[value] = self.exact_counts.get(value, 0) + count
                if len(self.exact_counts) > EXACT_CATEGORIES:
                    self._leave_exact()

    def merge(self, other: "CategorySketch") -> None:
        """Takes in what `other` has seen."""
        if other.exact_counts is not None:
            self.update(other.exact_counts.items())
            return
        self._leave_exact()
        self.count += other.count
        self.frequent.merge(other.frequent)
        union = datasketches.hll_union(HLL_LG_K)
        union.update(self.distinct_values)
        union.update(other.distinct_values)
        self.distinct_values = union.get_result(datasketches.tgt_hll_type.HLL_8)

    def to_json(self) -> dict[str, Any]:
        """For storage; `from_json` reads it back."""
        if self.exact_counts is not None:
            return {"count": self.count, "exact": self.exact_counts}
        return {
            "count": self.count,
            "frequent": base64.b64encode(self.frequent.serialize()).decode(),
            "distinct": base64.b64encode(self.distinct_values.serialize_compact()).decode(),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "CategorySketch":
        """Reads what `to_json` wrote, and nothing else: the caller has checked that it is that."""
        sketch = cls()
        if "exact" in stored:
            sketch.update((str(value), int(count)) for value, count in stored["exact"].items())
            return sketch
        sketch.exact_counts = None
        sketch.count = int(stored["count"])
        sketch.frequent = datasketches.frequent_strings_sketch.deserialize(
            base64.b64decode(stored["frequent"], validate=True)
        )
        sketch.distinct_values = datasketches.hll_sketch.deserialize(
            base64.b64decode(stored["distinct"], validate=True)
        )
        return sketch

    def _leave_exact(self) -> None:
        if self.exact_counts is not None:
            exact, self.exact_counts = self.exact_counts, None
            for value, count in exact.items():
                self._sketch(value, count)

    def _sketch(self, value: str, count: int) -> None:
        self.frequent.update(value, count)
        self.distinct_values.update(value)
