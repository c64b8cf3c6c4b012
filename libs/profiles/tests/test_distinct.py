"""Distinct values: what DataSketches itself would say, without asking it for every value; and what a document shows."""

from typing import Any

import datasketches
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard_profiles import TableProfile, cohens_d, cohens_w
from modelyard_profiles.distinct import THETA_LG_K, DistinctSketch, _hashes
from modelyard_profiles.numeric import NumericSketch


def sketch(values: Any) -> DistinctSketch:
    made = DistinctSketch()
    made.update(np.asarray(values, dtype=np.float64))
    return made


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=50))
def test_hashes_are_those_of_datasketches(values: list[float]) -> None:
    theirs = datasketches.update_theta_sketch(THETA_LG_K)
    for value in values:
        theirs.update(value)
    assert sorted(theirs.compact()) == sorted(set(_hashes(np.array(values)).tolist()))


@settings(max_examples=30)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=2000), st.integers(0, 2000))
def test_few_values_are_counted_exactly_however_they_are_split(values: list[int], cut: int) -> None:
    both = sketch(values[:cut])
    both.merge(sketch(values[cut:]))
    assert (both.estimate, both.exact) == (len(set(values)), True)
    assert DistinctSketch.from_text(both.to_text()).estimate == both.estimate


@pytest.mark.parametrize("different", [5_000, 100_000, 1_000_000])
def test_many_values_are_estimated(different: int) -> None:
    values = np.random.default_rng(different).permutation(np.tile(np.arange(different, dtype=np.float64), 2))
    half = values.size // 2
    merged = sketch(values[:half])
    merged.merge(sketch(values[half:]))
    for found in (sketch(values), merged):
        assert not found.exact
        assert found.estimate == pytest.approx(different, rel=0.1)  # four and a half standard deviations


def test_zeros_are_one_value() -> None:
    assert sketch([0.0, -0.0]).estimate == 1


def test_a_profile_from_before_distinct_was_kept_is_read_and_merged() -> None:
    old = NumericSketch()
    old.update(np.array([1.0, 2.0]))
    stored = old.to_json()
    del stored["distinct"]
    read = NumericSketch.from_json(stored)
    assert read.distinct is None
    new = NumericSketch()
    new.update(np.array([3.0]))
    new.merge(read)
    assert (new.count, new.distinct) == (3, None)


@pytest.mark.parametrize("values", [[1.0], [1.0, 1.0], [-1e308, 1e308], [0.0, 1.0, 1.0, 10.0], list(range(10_000))])
def test_a_histogram_holds_every_value(values: list[float]) -> None:
    numbers = NumericSketch()
    numbers.update(np.array(values, dtype=np.float64))
    edges, counts = numbers.histogram(20)
    assert len(edges) == (len(counts) + 1 if counts else 0)
    if counts:
        assert sum(counts) == len(values)
        assert (edges[0], edges[-1]) == (min(values), max(values))


def test_a_histogram_is_numpys() -> None:
    values = np.random.default_rng(1).normal(size=400)
    numbers = NumericSketch()
    numbers.update(values)
    assert numbers.histogram(20)[1] == np.histogram(values, 20)[0].tolist()


def test_effects_have_size_and_direction() -> None:
    def profile(values: Any) -> Any:
        made = TableProfile()
        made.update(pa.record_batch({"c": pa.array(values)}))
        return made.columns["c"]

    low, high = profile([0.0, 1.0, 2.0] * 100), profile([1.0, 2.0, 3.0] * 100)
    assert cohens_d(low, high) == pytest.approx(1 / np.std([0, 1, 2] * 100, ddof=1))
    assert cohens_d(high, low) == pytest.approx(-(cohens_d(low, high) or 0))
    assert cohens_d(profile([1.0] * 10), profile([1.0] * 10)) is None
    words = profile(["a", "b"] * 100)
    assert cohens_w(words, words) == 0
    assert cohens_w(words, profile(["a", "a", "a", "b"] * 50)) == pytest.approx(0.5, abs=0.01)
    assert cohens_w(words, low) is None
