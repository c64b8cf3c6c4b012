"""How many different numbers there are, in constant memory."""

import base64
from typing import Final

import datasketches
import numpy as np
from numpy.typing import NDArray

THETA_LG_K: Final = 11  # off by 2.2 % (one standard deviation), at most 16 KiB; exact up to some 2,000 values
_CHUNK: Final = 8192  # the temporary arrays of this many hashes stay in the processor's cache
_EXACT: Final = 2**63 - 1  # theta of a sketch that still holds every value

_Hashes = NDArray[np.uint64]
_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_F1, _F2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_1, _31, _33 = np.uint64(1), np.uint64(31), np.uint64(33)
_SEED: Final = np.uint64(9001 ^ 8)  # DataSketches' default seed, and the eight bytes of a value


class DistinctSketch:
    """Distinct float64 values, mergeable: a theta sketch (Dasgupta, Lang, Rhodes, Thaler, "A framework for estimating
    stream expression cardinalities", 2016).

    A theta sketch keeps the values whose hashes are below its theta, and drops the others without a trace. Its binding takes
    one value at a time, so the hashes are first taken here, whole arrays at once, and only what it would keep is handed over.
    """

    def __init__(self) -> None:
        self._sketch = datasketches.update_theta_sketch(THETA_LG_K)
        self._merged: datasketches.compact_theta_sketch | None = None

    @property
    def estimate(self) -> int:
        """How many different values there are."""
        return round(float(self.whole().get_estimate()))

    @property
    def exact(self) -> bool:
        """Whether `estimate` is a count."""
        return not self.whole().is_estimation_mode()

    def update(self, values: NDArray[np.float64]) -> None:
        """Takes in float64 values of shape (n,) without NaN."""
        for start in range(0, values.size, _CHUNK):
            chunk = values[start : start + _CHUNK]
            theta = self._sketch.theta64
            kept = np.unique(chunk) if theta == _EXACT else chunk[_hashes(chunk) < np.uint64(theta)]
            for value in kept.tolist():
                self._sketch.update(value)

    def merge(self, other: "DistinctSketch") -> None:
        """Takes in what `other` has seen."""
        self._merged = _union(self._merged, other.whole())

    def to_text(self) -> str:
        """For storage; `from_text` reads it back."""
        return base64.b64encode(self.whole().serialize()).decode()

    @classmethod
    def from_text(cls, stored: str) -> "DistinctSketch":
        """Reads what `to_text` wrote, and nothing else: the caller has checked that it is that."""
        sketch = cls()
        sketch._merged = datasketches.compact_theta_sketch.deserialize(base64.b64decode(stored, validate=True))
        return sketch

    def whole(self) -> "datasketches.compact_theta_sketch":
        """The sketch of everything seen."""
        return _union(self._merged, self._sketch.compact())


def _union(*sketches: "datasketches.compact_theta_sketch | None") -> "datasketches.compact_theta_sketch":
    union = datasketches.theta_union(THETA_LG_K)
    for sketch in sketches:
        if sketch is not None:
            union.update(sketch)
    return union.get_result()


def _hashes(values: NDArray[np.float64]) -> _Hashes:
    """What DataSketches hashes each value to: the upper 63 of 64 bits of MurmurHash3_x64_128 of its eight bytes."""
    with np.errstate(over="ignore"):
        word = (values + 0.0).view(np.uint64)  # -0.0 becomes 0.0, as there
        word *= _C1
        word = (word << _31) | (word >> _33)
        word *= _C2
        first = (word ^ _SEED) + _SEED
        return (_mixed(first) + _mixed(first + _SEED)) >> _1


def _mixed(word: _Hashes) -> _Hashes:
    word = word ^ (word >> _33)
    word *= _F1
    word ^= word >> _33
    word *= _F2
    word ^= word >> _33
    return word
