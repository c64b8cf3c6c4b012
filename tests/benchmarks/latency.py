"""Percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of `ordered` (ascending) that `percent` percent of them do not exceed: always a value that was measured.

    Source: the inverse of the empirical distribution function (Hyndman and Fan, Sample Quantiles in Statistical Packages, 1996,
    definition 1). Raises ValueError when there is none.
    """
    if not ordered:
        raise ValueError("no values: nothing was measured")
    return ordered[max(1, math.ceil(len(ordered) * percent / 100)) - 1]
