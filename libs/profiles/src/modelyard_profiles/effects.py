"""How large a change of a column is, whatever the number of rows: effect sizes."""

import math

import numpy as np

from modelyard_profiles.column import ColumnProfile
from modelyard_profiles.distances import PSEUDO_COUNT, common_bins
from modelyard_profiles.errors import ProfileError


def cohens_d(baseline: ColumnProfile, current: ColumnProfile) -> float | None:
    """How many standard deviations (pooled) the mean has moved; its sign says where to. None without a scale or values.

    Cohen, "Statistical Power Analysis for the Behavioral Sciences" (1988): 0.2 is small, 0.5 medium, 0.8 large.
    """
    left, right = baseline.numbers, current.numbers
    if left is None or right is None or left.count + right.count < 3 or not (left.count and right.count):
        return None
    pooled = math.sqrt((left.m2 + right.m2) / (left.count + right.count - 2))
    moved = (right.mean - left.mean) / pooled if pooled > 0 else math.nan
    return moved if math.isfinite(moved) else None


def cohens_w(baseline: ColumnProfile, current: ColumnProfile) -> float | None:
    """The root of the sum over categories of (q - p)² / p: 0 and up. None when the columns have no common bins.

    Cohen (1988): 0.1 is small, 0.3 medium, 0.5 large.
    """
    try:
        counts_p, counts_q = common_bins(baseline, current)
    except ProfileError:
        return None
    p = (counts_p + PSEUDO_COUNT) / (counts_p.sum() + PSEUDO_COUNT * counts_p.size)
    q = (counts_q + PSEUDO_COUNT) / (counts_q.sum() + PSEUDO_COUNT * counts_q.size)
    return math.sqrt(float(np.sum((q - p) ** 2 / p)))
