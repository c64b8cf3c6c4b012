"""Has a column drifted? A distance, a threshold, and what chance alone would show at this number of rows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from modelyard_profiles.column import ColumnProfile, LogicalType
from modelyard_profiles.distances import DISTANCES, Measure, common_bins
from modelyard_profiles.errors import ProfileError
from modelyard_profiles.numeric import NumericSketch
from modelyard_profiles.table import TableProfile

MIN_ROWS: Final = 200  # below, the approximations of `decision_limit` grow coarse
# A column that has not drifted exceeds its limit by chance once in 10,000 comparisons.
FALSE_ALARM: Final = 1e-4
FALSE_ALARM_Z: Final = 3.719


@dataclass(frozen=True, slots=True)
class DriftRule:
    """Which distance is taken for columns of one type, and above what it is drift."""

    type: LogicalType
    measure: Measure
    threshold: float


DEFAULT_RULES: Final = (
    DriftRule(LogicalType.NUMERIC, Measure.NORMALIZED_WASSERSTEIN_DISTANCE, 0.1),
    DriftRule(LogicalType.CATEGORICAL, Measure.POPULATION_STABILITY_INDEX, 0.2),
    DriftRule(LogicalType.BOOLEAN, Measure.POPULATION_STABILITY_INDEX, 0.2),
)


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """What a comparison found for one column and one rule.

    `limit` is what `value` had to exceed: the threshold, raised where so few rows would exceed it by chance. `value` and
    `limit` are None when no distance could be taken; `note` then says why. Rows are those in which the column has a value.
    """

    feature: str
    measure: Measure
    value: float | None
    threshold: float
    limit: float | None
    drifted: bool
    baseline_rows: int
    current_rows: int
    note: str = ""


def compare(
    baseline: TableProfile,
    current: TableProfile,
    *,
    rules: Sequence[DriftRule] = DEFAULT_RULES,
    min_rows: int = MIN_ROWS,
    features: Iterable[str] | None = None,
) -> list[FeatureDrift]:
    """Compares the columns that both profiles have (or just `features`), one result a column and rule that fits its type.

    The guard against small samples takes rows to be independent of one another. Rows that come in clumps (all flights of
    an hour share its weather) say less than their number: choose windows that are long against the clumps.
    Raises ProfileError when one of `features` is in only one of the profiles.
    """
    wanted = list(features) if features is not None else [name for name in baseline.columns if name in current.columns]
    for name in wanted:
        for side, profile in (("baseline", baseline), ("current profile", current)):
            if name not in profile.columns:
                known = ", ".join(profile.columns) or "no columns"
                raise ProfileError(f"the {side} has no column {name!r}; it has {known}")
    return [
        _compare_column(baseline.columns[name], current.columns[name], rule, min_rows)
        for name in wanted
        for rule in rules
        if rule.type is baseline.columns[name].type
    ]


def _compare_column(baseline: ColumnProfile, current: ColumnProfile, rule: DriftRule, min_rows: int) -> FeatureDrift:
    measure = rule.measure
    if measure is Measure.NORMALIZED_WASSERSTEIN_DISTANCE and baseline.numbers and not baseline.numbers.std > 0:
        measure = Measure.JENSEN_SHANNON_DISTANCE  # a constant has no scale, yet leaving it must show
    value = limit = None
    note = ""
    if min(baseline.count, current.count) < min_rows:
        side = "baseline" if baseline.count < min_rows else "current side"
        note = f"the {side} has {min(baseline.count, current.count)} values, {min_rows} are needed"
    else:
        try:
            value = DISTANCES[measure](baseline, current)
            limit = decision_limit(measure, rule.threshold, baseline, current)
        except ProfileError as error:
            note = str(error)
    return FeatureDrift(
        feature=baseline.name,
        measure=measure,
        value=value,
        threshold=rule.threshold,
        limit=limit,
        drifted=value is not None and limit is not None and value > limit,
        baseline_rows=baseline.count,
        current_rows=current.count,
        note=note,
    )


def decision_limit(measure: Measure, threshold: float, baseline: ColumnProfile, current: ColumnProfile) -> float:
    """What `measure` must exceed to be called drift: at least `threshold`, more where samples are small.

    Two samples of one distribution are never equal, and the fewer rows the further apart. With s² = 1/n + 1/m and B bins
    - the stability index is about s²·χ²(B-1) (Yurdakul, "Statistical properties of population stability index", 2018),
      the Jensen-Shannon divergence 1/(8 ln 2) of it (second-order expansion of both around p = q);
    - the Kolmogorov-Smirnov statistic is about s·K, K Kolmogorov's distribution (Smirnov, 1948);
    - the Wasserstein distance is about s·∫|B(F(x))|dx, B a Brownian bridge (del Barrio, Giné, Matrán, 1999), of mean
      s·√(2/π)·∫√(F(1-F))dx, and beyond its mean has Gaussian tails no wider than s standard deviations (Borell, 1975;
      Tsirelson, Ibragimov, Sudakov, 1976).
    The limit is the value that chance exceeds once in 1/FALSE_ALARM. As the first two add chance to a real shift too, its
    expectation is also added to the threshold.
    """
    variance = _sampling_variance(baseline) + _sampling_variance(current)
    match measure:
        case Measure.POPULATION_STABILITY_INDEX | Measure.JENSEN_SHANNON_DISTANCE:
            degrees = max(common_bins(baseline, current)[0].size - 1, 1)
            expected, upper = degrees * variance, _chi_squared_upper(degrees) * variance
            if measure is Measure.POPULATION_STABILITY_INDEX:
                return max(threshold + expected, upper)
            nats = 8 * math.log(2)
            return math.sqrt(max(threshold**2 + expected / nats, upper / nats))
        case Measure.KOLMOGOROV_SMIRNOV_STATISTIC:
            return max(threshold, math.sqrt(-math.log(FALSE_ALARM / 2) / 2 * variance))
        case Measure.NORMALIZED_WASSERSTEIN_DISTANCE:
            assert baseline.numbers is not None
            return max(threshold, _wasserstein_by_chance(baseline, current) / baseline.numbers.std)


def _sampling_variance(column: ColumnProfile) -> float:
    """1 / the number of values, and what the sketch's own error adds: a rank's variance is at most 1 / (4 n)."""
    sketch = 4 * column.numbers.rank_error**2 if column.numbers is not None else 0.0
    return 1 / column.count + sketch


def _wasserstein_by_chance(baseline: ColumnProfile, current: ColumnProfile) -> float:
    """What chance alone exceeds once in 1/FALSE_ALARM, in the unit of the values."""
    assert baseline.numbers is not None
    assert current.numbers is not None
    pooled = NumericSketch()
    pooled.merge(baseline.numbers)
    pooled.merge(current.numbers)
    # Of the pooled side or its own, the wider: a small sample of a long tail has either not seen it or seen too much of it.
    variance = 0.0
    for column, numbers in ((baseline, baseline.numbers), (current, current.numbers)):
        variance += _sampling_variance(column) * max(_upper_area(pooled), _upper_area(numbers)) ** 2
    return math.sqrt(variance)


def _upper_area(numbers: NumericSketch) -> float:
    """√(2/π)·∫√(F(1-F))dx and the Gaussian tail beyond: the above of one value (s = 1), in the unit of the values."""
    if numbers.count < 2:
        return 0.0
    values, shares = numbers.weighted_values()
    below = np.clip(np.cumsum(shares)[:-1], 0.0, 1.0)
    spread = float(np.sum(np.sqrt(below * (1 - below)) * np.diff(values)))
    return math.sqrt(2 / math.pi) * spread + FALSE_ALARM_Z * numbers.std


def _chi_squared_upper(degrees: int) -> float:
    """The 1 - FALSE_ALARM quantile of χ² (Wilson and Hilferty, 1931)."""
    step = 2 / (9 * degrees)
    return degrees * (1 - step + FALSE_ALARM_Z * math.sqrt(step)) ** 3
