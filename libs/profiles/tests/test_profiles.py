import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard_profiles import (
    ColumnConflictError,
    ColumnProfile,
    LogicalType,
    ProfileError,
    StoredProfileError,
    TableProfile,
    merge,
)

numbers = st.lists(st.none() | st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=60)
words = st.lists(st.none() | st.text(max_size=5), max_size=60)
RANK_ERROR = 0.02  # four times what a sketch of this size is off by at 99 % confidence


def table(**columns: Any) -> TableProfile:
    profile = TableProfile()
    profile.update(pa.record_batch(columns))
    return profile


def column(values: list[Any], arrow_type: pa.DataType | None = None) -> ColumnProfile:
    profile = ColumnProfile("x")
    profile.update(pa.array(values, arrow_type))
    return profile


@given(values=numbers)
def test_numbers_are_summarised_as_numpy_would(values: list[Any]) -> None:
    profile = column(values, pa.float64())
    there = [value for value in values if value is not None and not math.isnan(value)]
    finite = np.array([value for value in there if math.isfinite(value)])
    assert (profile.count, profile.missing) == (len(there), len(values) - len(there))
    summary = profile.summary()
    assert summary.get("infinite", 0) == len(there) - finite.size
    if finite.size:
        assert (summary["min"], summary["max"]) == (finite.min(), finite.max())
        assert summary["mean"] == pytest.approx(finite.mean(), rel=1e-9, abs=1e-9 * np.abs(finite).max())
        assert summary["quantiles"]["0.5"] == np.quantile(finite, 0.5, method="inverted_cdf")
    if finite.size > 1:
        assert summary["std"] == pytest.approx(finite.std(ddof=1), rel=1e-6, abs=1e-6 * np.abs(finite).max())


@given(left=numbers, right=numbers, left_words=words, right_words=words)
def test_a_merge_is_the_profile_of_all_rows_whatever_the_order(
    left: list[Any], right: list[Any], left_words: list[Any], right_words: list[Any]
) -> None:
    size = min(len(left), len(left_words)), min(len(right), len(right_words))
    one, two = (
        pa.record_batch({"number": pa.array(n[:k], pa.float64()), "word": pa.array(w[:k], pa.string())})
        for n, w, k in ((left, left_words, size[0]), (right, right_words, size[1]))
    )
    profiles = [TableProfile(), TableProfile(), TableProfile()]
    profiles[0].update(one)
    profiles[1].update(two)
    profiles[2].update(one)
    profiles[2].update(two)
    expected = profiles[2].summary()["columns"]
    for merged in (merge(profiles[0], profiles[1]), merge(profiles[1], profiles[0])):
        found = merged.summary()["columns"]
        assert merged.rows == profiles[2].rows
        assert _without_moments(found) == _without_moments(expected)
        for moment in ("mean", "std"):  # floating point adds up differently
            value, wanted = found["number"].get(moment), expected["number"].get(moment)
            assert value == (wanted if wanted is None else pytest.approx(wanted, rel=1e-9, abs=1e-6))


def _without_moments(summary: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {key: value for key, value in found.items() if key not in {"mean", "std"}}
        for name, found in summary.items()
    }


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(0, 4_000), min_size=3, max_size=3), seed=st.integers(0, 2**32 - 1))
def test_merging_large_numbers_of_values_is_associative_up_to_the_sketch_error(sizes: Any, seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [generator.normal(size=size) for size in sizes]
    a, b, c = (table(x=part) for part in parts)
    everything = np.sort(np.concatenate(parts))
    for merged in (merge(merge(a, b), c), merge(a, merge(b, c)), merge(merge(c, a), b)):
        profile = merged.columns["x"]
        assert profile.count == everything.size
        if everything.size == 0:
            continue
        assert profile.numbers is not None
        assert profile.numbers.mean == pytest.approx(everything.mean(), abs=1e-9)
        for rank in (0.1, 0.5, 0.9):
            found = np.searchsorted(everything, profile.numbers.quantiles([rank])[0], side="right") / everything.size
            assert abs(found - rank) <= RANK_ERROR + 1 / everything.size


def test_many_categories_are_sketched_and_the_frequent_ones_kept() -> None:
    values = [f"rare {i}" for i in range(20_000)] + ["hot"] * 5_000
    whole = column(values)
    parts = ColumnProfile("x")
    for start in range(0, len(values), 700):
        parts.merge(column(values[start : start + 700]))
    for profile in (whole, parts):
        summary = profile.summary()
        assert summary["type"] == "text"
        assert not summary["exact"]
        assert summary["distinct"] == pytest.approx(20_001, rel=0.08)
        assert summary["top"][0]["value"] == "hot"
        assert summary["top"][0]["count"] == pytest.approx(5_000, abs=0.001 * len(values))


@pytest.mark.parametrize(
    ("array", "logical_type"),
    [
        (pa.array([1, None, 3]), LogicalType.NUMERIC),
        (pa.array([1.5, float("nan")], pa.float32()), LogicalType.NUMERIC),
        (pa.array([1, 2], pa.uint64()), LogicalType.NUMERIC),
        (pa.array(["1.10", "2.20"]).cast(pa.decimal128(5, 2)), LogicalType.NUMERIC),
        (pa.array([True, None, False]), LogicalType.BOOLEAN),
        (pa.array(["a", "b", None]), LogicalType.CATEGORICAL),
        (pa.array(["a", "b"], pa.large_string()), LogicalType.CATEGORICAL),
        (pa.array(["a", "b"], pa.string_view()), LogicalType.CATEGORICAL),
        (pa.array(["a", "b", "a"]).dictionary_encode(), LogicalType.CATEGORICAL),
        (pa.array([0, 86_400], pa.timestamp("s")), LogicalType.TIMESTAMP),
        (pa.array([0, 86_400], pa.timestamp("ns", "America/New_York")), LogicalType.TIMESTAMP),
        (pa.array([0, 1], pa.date32()), LogicalType.TIMESTAMP),
        (pa.array([[1], [2, 3]]), LogicalType.OTHER),
        (pa.array([b"x", b"\xff"]), LogicalType.OTHER),
        (pa.array([None, None]), LogicalType.UNKNOWN),
    ],
    ids=str,
)
def test_every_arrow_type_has_a_logical_type_and_survives_storage(
    array: "pa.Array[Any]", logical_type: LogicalType
) -> None:
    profile = table(x=array)
    found = profile.columns["x"]
    assert found.type is logical_type
    assert found.count + found.missing == len(array)
    assert TableProfile.from_bytes(profile.to_bytes()).summary() == profile.summary()


def test_timestamps_read_as_times() -> None:
    summary = column([0, 1_356_998_400], pa.timestamp("s")).summary()
    assert summary["max"] == "2013-01-01T00:00:00+00:00"
    assert "std" not in summary


def test_long_texts_are_cut() -> None:
    profile = column(["a" * 1000, "a" * 2000, "é" * 1000])
    assert [entry["value"] for entry in profile.summary()["top"]] == ["a" * 256, "é" * 256]


def test_a_column_that_comes_late_or_goes_counts_as_missing() -> None:
    profile = table(a=[1, 2])
    profile.update(pa.record_batch({"a": [3], "b": ["x"]}))
    profile.update(pa.record_batch({"b": ["y"]}))
    assert {name: (c.count, c.missing) for name, c in profile.columns.items()} == {"a": (3, 1), "b": (2, 2)}
    merged = merge(profile, table(c=[True]))
    assert {name: (c.count, c.missing) for name, c in merged.columns.items()} == {"a": (3, 2), "b": (2, 3), "c": (1, 4)}


def test_an_all_null_column_takes_the_type_of_what_comes_later() -> None:
    profile = table(a=pa.nulls(3))
    profile.update(pa.record_batch({"a": ["x"]}))
    assert profile.columns["a"].type is LogicalType.CATEGORICAL
    assert profile.columns["a"].missing == 3


def test_a_column_cannot_be_numbers_and_words() -> None:
    profile = table(delay=[1, 2])
    with pytest.raises(ColumnConflictError, match="'delay' is numeric on one side and categorical on the other"):
        profile.update(pa.record_batch({"delay": ["x"]}))
    with pytest.raises(ColumnConflictError):
        merge(table(delay=[1]), table(delay=["x"]))


def test_a_name_that_occurs_twice_is_refused() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ProfileError, match="'a'"):
        TableProfile().update(batch)


@given(left=numbers, right=words)
def test_stored_profiles_are_read_back_whole(left: list[Any], right: list[Any]) -> None:
    size = min(len(left), len(right))
    profile = table(a=pa.array(left[:size], pa.float64()), b=pa.array(right[:size], pa.string()))
    again = TableProfile.from_bytes(profile.to_bytes())
    assert again.summary() == profile.summary()
    again.merge(profile)  # what was stored can still grow
    assert again.rows == 2 * size


def test_sketches_are_read_back_too() -> None:
    profile = table(a=np.random.default_rng(0).normal(size=50_000), b=[f"v{i}" for i in range(50_000)])
    again = TableProfile.from_bytes(profile.to_bytes())
    assert again.summary() == profile.summary()


@pytest.mark.parametrize("stored", [b"", b"\xff", b"{}", b"modelyard.profile/2 00\n{}", b"modelyard.profile/1 00\n{}"])
def test_what_is_not_a_stored_profile_is_refused(stored: bytes) -> None:
    with pytest.raises(StoredProfileError):
        TableProfile.from_bytes(stored)


@given(at=st.integers(0, 10_000), bits=st.integers(1, 255))
def test_a_damaged_stored_profile_is_refused(at: int, bits: int) -> None:
    stored = bytearray(table(a=np.arange(3000.0), b=["x", "y", "x"] * 1000).to_bytes())
    stored[at % len(stored)] ^= bits
    with pytest.raises(StoredProfileError):
        TableProfile.from_bytes(bytes(stored))
