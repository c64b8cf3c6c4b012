"""Numbers, summarised in constant memory."""

import base64
import math
from typing import Any, Final

import datasketches
import numpy as np
from numpy.typing import NDArray

from modelyard_profiles.distinct import DistinctSketch

# A rank is off by at most 0.53 % with 99 % confidence, in about 12 KiB; up to a few hundred values nothing is lost.
KLL_K: Final = 512
KLL_CONFIDENCE_Z: Final = 2.576  # datasketches states its rank error at 99 % confidence: this many standard deviations


class NumericSketch:
    """Count, extremes, moments, quantiles and distinct values of numbers; mergeable.

    Moments are merged by Chan, Golub and LeVeque, "Algorithms for computing the sample variance" (1983); quantiles are a
    KLL sketch (Karnin, Lang, Liberty, "Optimal quantile approximation in streams", 2016). NaN never gets here;
    infinities are counted and kept out of everything else.
    """

    def __init__(self) -> None:
        self.count = 0
        self.infinite = 0
        self.min = math.inf
        self.max = -math.inf
        self.mean = 0.0
        self.m2 = 0.0
        self.kll = datasketches.kll_doubles_sketch(KLL_K)
        self.distinct: DistinctSketch | None = (
            DistinctSketch()
        )  # None: not known, of a profile stored before it was kept

    @property
    def std(self) -> float:
        """Sample standard deviation (n - 1); NaN with fewer than two values."""
        return math.sqrt(self.m2 / (self.count - 1)) if self.count > 1 else math.nan

    @property
    def rank_error(self) -> float:
        """One standard deviation of the error of a rank (a share of 1); 0 while the sketch still holds every value."""
        if not self.kll.is_estimation_mode():
            return 0.0
        return float(self.kll.normalized_rank_error(False)) / KLL_CONFIDENCE_Z  # noqa: FBT003 (positional in C++)

    def update(self, values: NDArray[np.float64]) -> None:
        """Takes in float64 values of shape (n,) without NaN."""
        finite = np.isfinite(values)
        if not finite.all():
            self.infinite += int(values.size - np.count_nonzero(finite))
            values = values[finite]
        if values.size == 0:
            return
        with np.errstate(over="ignore", invalid="ignore"):  # sums of huge values overflow to inf: the moments say so
            mean = float(values.mean())
            centred = values - mean
            m2 = float(np.dot(centred, centred))
        self._add_moments(values.size, mean, m2)
        self.min = min(self.min, float(values.min()))
        self.max = max(self.max, float(values.max()))
        self.kll.update(np.require(values, requirements=["C", "W"]))  # its binding refuses read-only arrays
        if self.distinct is not None:
            self.distinct.update(values)

    def merge(self, other: "NumericSketch") -> None:
        """Takes in what `other` has seen."""
        self.infinite += other.infinite
        if other.count == 0:
            return
        self._add_moments(other.count, other.mean, other.m2)
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        self.kll.merge(other.kll)
        if self.distinct is not None and other.distinct is not None:
            self.distinct.merge(other.distinct)
        else:
            self.distinct = None

    def quantiles(self, ranks: list[float]) -> list[float]:
        """The values at `ranks` (0 to 1): the smallest value that at least this share of all values does not exceed."""
        return list(self.kll.get_quantiles(ranks, True)) if self.count else []  # noqa: FBT003 (positional in C++)

    def weighted_values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The values the sketch holds, ascending, and the share of all values that each stands for (sum 1)."""
        pairs = np.array(list(self.kll), dtype=np.float64).reshape(-1, 2)
        pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]
        return pairs[:, 0], pairs[:, 1] / pairs[:, 1].sum()

    def histogram(self, bins: int) -> tuple[list[float], list[int]]:
        """`bins` + 1 edges, evenly from min to max, and how many finite values lie in each bin (its upper edge is the next one's,
        but the last bin's own). One bin when all values are equal, none without values."""
        if self.count == 0:
            return [], []
        if self.min == self.max:
            return [self.min, self.max], [self.count]
        with np.errstate(over="ignore", invalid="ignore"):
            edges = self.min + (self.max - self.min) * np.linspace(0.0, 1.0, bins + 1)
        if not np.isfinite(edges).all():  # the range itself is past the largest double
            return [], []
        edges[-1] = self.max
        values, shares = self.weighted_values()
        below = np.concatenate([[0.0], np.cumsum(np.histogram(values, edges, weights=shares)[0])])
        counts = np.diff(np.rint(below / below[-1] * self.count)).astype(np.int64)
        return edges.tolist(), counts.tolist()

    def to_json(self) -> dict[str, Any]:
        """For storage; `from_json` reads it back."""
        return {
            "count": self.count,
            "infinite": self.infinite,
            "min": self.min if self.count else None,
            "max": self.max if self.count else None,
            "mean": self.mean,
            "m2": self.m2,
            "kll": base64.b64encode(self.kll.serialize()).decode(),
            "distinct": self.distinct.to_text() if self.distinct is not None else None,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "NumericSketch":
        """Reads what `to_json` wrote, and nothing else: the caller has checked that it is that."""
        sketch = cls()
        sketch.kll = datasketches.kll_doubles_sketch.deserialize(base64.b64decode(stored["kll"], validate=True))
        sketch.distinct = DistinctSketch.from_text(stored["distinct"]) if stored.get("distinct") else None
        sketch.count = int(stored["count"])
        sketch.infinite = int(stored["infinite"])
        if sketch.count:
            sketch.min = float(stored["min"])
            sketch.max = float(stored["max"])
        sketch.mean = float(stored["mean"])
        sketch.m2 = float(stored["m2"])
        return sketch

    def _add_moments(self, count: int, mean: float, m2: float) -> None:
        total = self.count + count
        delta = mean - self.mean
        self.mean += delta * (count / total)
        self.m2 += m2 + delta * delta * (self.count * count / total)
        self.count = total
