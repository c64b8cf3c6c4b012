import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_profiles import (
    ColumnProfile,
    DriftRule,
    EmptySideError,
    LogicalType,
    Measure,
    NotComparableError,
    ProfileError,
    TableProfile,
    compare,
    jensen_shannon_distance,
    kolmogorov_smirnov_statistic,
    normalized_wasserstein_distance,
    population_stability_index,
)
from modelyard_profiles.distances import DISTANCES
from modelyard_profiles.drift import decision_limit

numbers = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=2, max_size=50)
words = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=50)
ON_NUMBERS = list(Measure)
ON_CATEGORIES = [Measure.JENSEN_SHANNON_DISTANCE, Measure.POPULATION_STABILITY_INDEX]


def column(values: Any) -> ColumnProfile:
    profile = ColumnProfile("x")
    profile.update(pa.array(values))
    return profile


def table(**columns: Any) -> TableProfile:
    profile = TableProfile()
    profile.update(pa.record_batch(columns))
    return profile


@given(values=numbers)
def test_the_distance_of_a_column_to_itself_is_nothing(values: list[Any]) -> None:
    profile = column(values)
    for measure in ON_NUMBERS:
        if measure is Measure.NORMALIZED_WASSERSTEIN_DISTANCE and len(set(values)) == 1:
            continue
        assert DISTANCES[measure](profile, profile) == pytest.approx(0, abs=1e-7)


@given(left=words, right=words)
def test_distances_between_categories_are_symmetric_and_nothing_to_oneself(left: list[Any], right: list[Any]) -> None:
    one, two = column(left), column(right)
    for measure in ON_CATEGORIES:
        distance = DISTANCES[measure]
        assert distance(one, two) == pytest.approx(distance(two, one), abs=1e-9)
        assert distance(one, one) == pytest.approx(0, abs=1e-7)
        assert distance(one, two) >= 0


@given(left=numbers, right=numbers)
def test_distances_between_numbers_are_those_of_the_definition(left: list[Any], right: list[Any]) -> None:
    one, two = column(left), column(right)
    points = np.unique(left + right)
    below_left = np.searchsorted(np.sort(left), points, side="right") / len(left)
    below_right = np.searchsorted(np.sort(right), points, side="right") / len(right)
    apart = np.abs(below_left - below_right)
    assert kolmogorov_smirnov_statistic(one, two) == pytest.approx(apart.max(), abs=1e-12)
    assert kolmogorov_smirnov_statistic(two, one) == pytest.approx(apart.max(), abs=1e-12)
    if len(set(left)) > 1:
        area = float(np.sum(apart[:-1] * np.diff(points)))
        assert normalized_wasserstein_distance(one, two) == pytest.approx(area / np.std(left, ddof=1), rel=1e-6)
    assert 0 <= jensen_shannon_distance(one, two) <= 1
    assert population_stability_index(one, two) >= 0


def test_known_values() -> None:
    # Worked by hand: shares 1/2, 1/2 against 3/4, 1/4.
    one, two = column(["a"] * 500 + ["b"] * 500), column(["a"] * 750 + ["b"] * 250)
    assert population_stability_index(one, two) == pytest.approx(0.25 * math.log(3), rel=0.01)
    divergence = 0.5 * (0.5 * math.log2(0.5 / 0.625) + 0.5 * math.log2(0.5 / 0.375))
    divergence += 0.5 * (0.75 * math.log2(0.75 / 0.625) + 0.25 * math.log2(0.25 / 0.375))
    assert jensen_shannon_distance(one, two) == pytest.approx(math.sqrt(divergence))
    # A shift of a normal distribution by half a standard deviation.
    generator = np.random.default_rng(0)
    base, moved = column(generator.normal(size=100_000)), column(generator.normal(0.5, size=100_000))
    assert normalized_wasserstein_distance(base, moved) == pytest.approx(0.5, abs=0.02)
    assert kolmogorov_smirnov_statistic(base, moved) == pytest.approx(0.1974, abs=0.015)
    assert population_stability_index(base, moved) == pytest.approx(0.24, abs=0.03)


def test_disjoint_sides_are_as_far_apart_as_it_gets() -> None:
    low, high = column([1.0, 2.0] * 50), column([8.0, 9.0] * 50)
    assert kolmogorov_smirnov_statistic(low, high) == 1
    assert jensen_shannon_distance(low, high) == pytest.approx(1)
    assert jensen_shannon_distance(column(["a"] * 50), column(["new"] * 50)) == pytest.approx(1)
    assert population_stability_index(column(["a"] * 50), column(["new"] * 50)) > 5


def test_what_has_no_distance_says_so() -> None:
    with pytest.raises(EmptySideError, match="current side"):
        population_stability_index(column([1.0]), column([None]))
    with pytest.raises(EmptySideError, match="baseline"):
        jensen_shannon_distance(column([float("nan")]), column([1.0]))
    with pytest.raises(NotComparableError, match="numeric in the baseline and categorical"):
        jensen_shannon_distance(column([1.0]), column(["1"]))
    with pytest.raises(NotComparableError, match="between numbers"):
        kolmogorov_smirnov_statistic(column(["a"]), column(["a"]))
    with pytest.raises(NotComparableError, match="constant"):
        normalized_wasserstein_distance(column([3.0, 3.0]), column([1.0]))


Sampler = Callable[[np.random.Generator, int], Any]

SAMPLERS: dict[str, Sampler] = {
    "normal": lambda generator, n: generator.normal(size=n),
    "heavy-tailed": lambda generator, n: generator.lognormal(0, 1.5, n),
    "mostly zero": lambda generator, n: np.where(generator.random(n) < 0.97, 0.0, generator.exponential(1, n)),
    "hours": lambda generator, n: generator.integers(5, 23, n).astype(float),
    "3 categories": lambda generator, n: generator.choice(["a", "b", "c"], n, p=[0.6, 0.39, 0.01]),
    "100 categories": lambda generator, n: np.char.add("c", np.minimum(generator.zipf(1.3, n), 100).astype(str)),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("sizes", [(50_000, 200), (50_000, 1_000), (1_000, 1_000), (400, 200)], ids=str)
def test_size_alone_raises_no_signal(sampler: str, sizes: Any) -> None:
    """Two samples of one distribution stay below the limit even where the threshold is 0: chance alone does not exceed it."""
    generator = np.random.default_rng(2013)
    draw = SAMPLERS[sampler]
    baseline = column(draw(generator, sizes[0]))
    for _ in range(25):
        current = column(draw(generator, sizes[1]))
        for measure in ON_NUMBERS if baseline.numbers else ON_CATEGORIES:
            assert DISTANCES[measure](baseline, current) <= decision_limit(measure, 0.0, baseline, current), measure


SHIFTS: dict[str, Sampler] = {
    "normal": lambda generator, n: generator.normal(1.0, size=n),
    "heavy-tailed": lambda generator, n: generator.lognormal(1.5, 1.5, n),
    "hours": lambda generator, n: generator.integers(10, 23, n).astype(float),
    "3 categories": lambda generator, n: generator.choice(["a", "b", "c", "new"], n, p=[0.3, 0.39, 0.01, 0.3]),
    "100 categories": lambda generator, n: generator.choice(["c1", "c2", "c7"], n, p=[0.1, 0.5, 0.4]),
}


@pytest.mark.parametrize("sampler", SHIFTS)
@pytest.mark.parametrize("rows", [300, 5_000])
def test_a_real_shift_is_found(sampler: str, rows: Any) -> None:
    generator = np.random.default_rng(2013)
    baseline = table(x=SAMPLERS[sampler](generator, 50_000))
    current = table(x=SHIFTS[sampler](generator, rows))
    rules = [DriftRule(baseline.columns["x"].type, measure, 0.1) for measure in ON_NUMBERS]
    if baseline.columns["x"].numbers is None:
        rules = [rule for rule in rules if rule.measure in ON_CATEGORIES]
    found = compare(baseline, current, rules=rules)
    assert len(found) == len(rules)
    assert [drift.measure for drift in found if not drift.drifted] == []
    assert {(drift.baseline_rows, drift.current_rows) for drift in found} == {(50_000, rows)}


def test_the_threshold_decides_where_samples_are_large() -> None:
    generator = np.random.default_rng(1)
    baseline, current = table(x=generator.normal(size=50_000)), table(x=generator.normal(0.15, size=50_000))
    measure = Measure.NORMALIZED_WASSERSTEIN_DISTANCE
    for threshold, drifted in ((0.1, True), (0.2, False)):
        (found,) = compare(baseline, current, rules=[DriftRule(LogicalType.NUMERIC, measure, threshold)])
        assert found.limit == threshold
        assert found.drifted is drifted


def test_too_few_rows_give_no_verdict() -> None:
    (found,) = compare(table(x=[1.0] * 500), table(x=[9.0] * 199))
    assert (found.value, found.limit, found.drifted) == (None, None, False)
    assert found.note == "the current side has 199 values, 200 are needed"


def test_a_constant_that_changes_is_drift() -> None:
    (found,) = compare(table(x=[1.0] * 500), table(x=[2.0] * 500))
    assert found.measure is Measure.JENSEN_SHANNON_DISTANCE
    assert found.drifted


def test_a_column_of_another_type_is_noted_and_the_others_compared() -> None:
    baseline = table(a=[1.0, 2.0] * 100, b=["x", "y"] * 100, label=[True, False] * 100)
    current = table(a=["1", "2"] * 100, b=["x", "y"] * 100, extra=[1] * 200)
    first, second = compare(baseline, current)
    assert (first.feature, first.value, first.drifted) == ("a", None, False)
    assert "categorical" in first.note
    assert (second.feature, second.drifted, second.note) == ("b", False, "")
    with pytest.raises(ProfileError, match="no column 'label'; it has a, b, extra"):
        compare(baseline, current, features=["b", "label"])
