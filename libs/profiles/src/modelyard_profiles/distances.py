"""How far the distribution of a column has moved: distances between two of its profiles.

All of them look at the values that are there; how many are missing is a matter of data quality, not of drift. Histograms
are made over common bins: for numbers the baseline's deciles, a value that makes up more than a decile being a bin of its
own; for categories the categories themselves, those too rare to be compared being pooled into one bin.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modelyard_profiles.column import ColumnProfile, LogicalType
from modelyard_profiles.errors import EmptySideError, NotComparableError
from modelyard_profiles.numeric import NumericSketch

Floats = NDArray[np.float64]

NUMERIC_BINS: Final = 10
# Cochran, "Some methods for strengthening the common chi-squared tests" (1954): fewer values a bin tell nothing.
RARE_COUNT: Final = 5
# Added to each bin's count, so that an empty one leaves the logarithm finite (Krichevsky and Trofimov, 1981).
PSEUDO_COUNT: Final = 0.5


class Measure(StrEnum):
    """The distances by name; the first three as in Azure ML's `metric_thresholds`."""

    JENSEN_SHANNON_DISTANCE = "jensen_shannon_distance"
    NORMALIZED_WASSERSTEIN_DISTANCE = "normalized_wasserstein_distance"
    POPULATION_STABILITY_INDEX = "population_stability_index"
    KOLMOGOROV_SMIRNOV_STATISTIC = "kolmogorov_smirnov_statistic"


def population_stability_index(baseline: ColumnProfile, current: ColumnProfile) -> float:
    """Sum over common bins of (p - q) ln(p / q): 0 and up, in nats; 0.1 is held to be small, 0.25 large.

    Jeffreys' divergence (1946), under this name in credit scoring: Siddiqi, "Credit Risk Scorecards" (2006). For
    numbers not symmetric, as the baseline makes the bins. Raises EmptySideError, NotComparableError.
    """
    counts_p, counts_q = common_bins(baseline, current)
    p = (counts_p + PSEUDO_COUNT) / (counts_p.sum() + PSEUDO_COUNT * counts_p.size)
    q = (counts_q + PSEUDO_COUNT) / (counts_q.sum() + PSEUDO_COUNT * counts_q.size)
    return float(np.sum((p - q) * np.log(p / q)))


def jensen_shannon_distance(baseline: ColumnProfile, current: ColumnProfile) -> float:
    """Square root of the Jensen-Shannon divergence to base 2 over common bins: 0 (same) to 1 (disjoint).

    Lin, "Divergence measures based on the Shannon entropy" (1991); its root is a metric: Endres and Schindelin (2003).
    For numbers not symmetric, as the baseline makes the bins. Raises EmptySideError, NotComparableError.
    """
    counts_p, counts_q = common_bins(baseline, current)
    p, q = counts_p / counts_p.sum(), counts_q / counts_q.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def normalized_wasserstein_distance(baseline: ColumnProfile, current: ColumnProfile) -> float:
    """Area between the two distribution functions (Wasserstein-1), in standard deviations of the baseline: 0 and up.

    Vaserstein (1969); the area form: Vallender (1974). Numeric columns only. Raises EmptySideError; NotComparableError
    also when the baseline is constant and so has no scale.
    """
    left, right = _numbers(baseline, current)
    if not left.std > 0:  # NaN with a single value
        raise NotComparableError(f"column {baseline.name!r} is constant in the baseline: its distance has no scale")
    points, below_left, below_right = _distribution_functions(left, right)
    return float(np.sum(np.abs(below_left - below_right)[:-1] * np.diff(points))) / left.std


def kolmogorov_smirnov_statistic(baseline: ColumnProfile, current: ColumnProfile) -> float:
    """Largest difference between the two distribution functions: 0 (same) to 1 (disjoint); symmetric.

    Smirnov, "On the estimation of the discrepancy between empirical curves of distribution for two independent samples"
    (1939). Numeric columns only. Raises EmptySideError, NotComparableError.
    """
    _, below_left, below_right = _distribution_functions(*_numbers(baseline, current))
    return float(np.max(np.abs(below_left - below_right)))


DISTANCES: Final[dict[Measure, Callable[[ColumnProfile, ColumnProfile], float]]] = {
    Measure.JENSEN_SHANNON_DISTANCE: jensen_shannon_distance,
    Measure.NORMALIZED_WASSERSTEIN_DISTANCE: normalized_wasserstein_distance,
    Measure.POPULATION_STABILITY_INDEX: population_stability_index,
    Measure.KOLMOGOROV_SMIRNOV_STATISTIC: kolmogorov_smirnov_statistic,
}


def common_bins(baseline: ColumnProfile, current: ColumnProfile) -> tuple[Floats, Floats]:
    """How many values of each side fall into each common bin: two arrays of shape (bins,), no bin empty on both sides.

    Raises EmptySideError when a side has no values, NotComparableError when the columns are not of one comparable type.
    """
    if baseline.categories is not None and current.categories is not None:
        _require_same_type(baseline, current)
        return _category_bins(baseline, current)
    left, right = _numbers(baseline, current)
    edges = _bin_edges(left)
    counts_left, counts_right = _histogram(left, edges), _histogram(right, edges)
    seen = (counts_left > 0) | (counts_right > 0)
    return counts_left[seen], counts_right[seen]


def _category_bins(baseline: ColumnProfile, current: ColumnProfile) -> tuple[Floats, Floats]:
    assert baseline.categories is not None
    assert current.categories is not None
    left, right = baseline.categories, current.categories
    counts_left, counts_right = left.counts(), right.counts()
    smaller = min(left.count, right.count)
    bins = [
        (counts_left.get(value, 0), counts_right.get(value, 0)) for value in sorted(counts_left.keys() | counts_right)
    ]
    kept = [(a, b) for a, b in bins if (a / left.count + b / right.count) / 2 * smaller >= RARE_COUNT]
    pooled = (left.count - sum(a for a, _ in kept), right.count - sum(b for _, b in kept))
    if pooled != (0, 0):
        kept.append(pooled)
    array = np.array(kept, dtype=np.float64)
    return array[:, 0], array[:, 1]


def _bin_edges(baseline: NumericSketch) -> Floats:
    """Upper ends (inclusive) of all bins but the last, which is open."""
    inner = baseline.quantiles([i / NUMERIC_BINS for i in range(1, NUMERIC_BINS)])
    values, times = np.unique(np.array([baseline.min, *inner, baseline.max]), return_counts=True)
    heavy = values[times > 1]
    return np.unique(np.concatenate([np.unique(inner), heavy, np.nextafter(heavy, -np.inf)]))


def _histogram(numbers: NumericSketch, edges: Floats) -> Floats:
    values, shares = numbers.weighted_values()
    counts = np.bincount(np.searchsorted(edges, values, side="left"), weights=shares, minlength=edges.size + 1)
    return counts.astype(np.float64) * numbers.count


def _distribution_functions(left: NumericSketch, right: NumericSketch) -> tuple[Floats, Floats, Floats]:
    """Both sides' values, ascending, and the share of each side's values that is at or below them."""
    (values_left, shares_left), (values_right, shares_right) = left.weighted_values(), right.weighted_values()
    points = np.unique(np.concatenate([values_left, values_right]))
    return points, _share_below(values_left, shares_left, points), _share_below(values_right, shares_right, points)


def _share_below(values: Floats, shares: Floats, points: Floats) -> Floats:
    cumulated: Floats = np.minimum(np.concatenate([[0.0], np.cumsum(shares)]), 1.0)
    return cumulated[np.searchsorted(values, points, side="right")]


def _relative_entropy(p: Floats, q: Floats) -> float:
    there = p > 0
    return float(np.sum(p[there] * np.log2(p[there] / q[there])))


def _numbers(baseline: ColumnProfile, current: ColumnProfile) -> tuple[NumericSketch, NumericSketch]:
    _require_same_type(baseline, current)
    if baseline.numbers is None or current.numbers is None:
        raise NotComparableError(f"column {baseline.name!r} is {baseline.type}: this distance is between numbers")
    return baseline.numbers, current.numbers


def _require_same_type(baseline: ColumnProfile, current: ColumnProfile) -> None:
    for side, column in (("baseline", baseline), ("current side", current)):
        values = column.numbers or column.categories
        if column.type is LogicalType.UNKNOWN or (values is not None and values.count == 0):
            raise EmptySideError(side)
    if baseline.kind is not current.kind:
        raise NotComparableError(
            f"column {baseline.name!r} is {baseline.kind} in the baseline and {current.kind} on the current side"
        )
