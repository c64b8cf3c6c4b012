"""What a replica counts, in Prometheus's text format."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BOUNDS_S: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)


class Metrics:
    """Counters of one replica.

    Written by the listener's thread only; a reader on another thread may see a moment's inconsistency.
    """

    def __init__(self) -> None:
        self.requests: dict[int, int] = {}
        self.in_flight = 0
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Counts an answered request and how long it took from its last byte in to its answer."""
        self.requests[status] = self.requests.get(status, 0) + 1
        self._buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def text(self, *, rows_collected: int, rows_dropped: int, script_restarts: int) -> bytes:
        """The exposition."""
        lines = ["# TYPE modelyard_replica_requests_total counter"]
        lines += [
            f'modelyard_replica_requests_total{{status="{status}"}} {count}'
            for status, count in sorted(self.requests.items())
        ]
        lines.append("# TYPE modelyard_replica_request_seconds histogram")
        total = 0
        for bound, count in zip(BOUNDS_S, self._buckets, strict=False):
            total += count
            lines.append(f'modelyard_replica_request_seconds_bucket{{le="{bound}"}} {total}')
        total += self._buckets[-1]
        lines.append(f'modelyard_replica_request_seconds_bucket{{le="+Inf"}} {total}')
        lines.append(f"modelyard_replica_request_seconds_sum {self._sum_s}")
        lines.append(f"modelyard_replica_request_seconds_count {total}")
        lines += ["# TYPE modelyard_replica_in_flight gauge", f"modelyard_replica_in_flight {self.in_flight}"]
        lines += [
            "# TYPE modelyard_replica_rows_collected_total counter",
            f"modelyard_replica_rows_collected_total {rows_collected}",
        ]
        lines += [
            "# TYPE modelyard_replica_rows_dropped_total counter",
            f"modelyard_replica_rows_dropped_total {rows_dropped}",
        ]
        lines += [
            "# TYPE modelyard_replica_script_restarts_total counter",
            f"modelyard_replica_script_restarts_total {script_restarts}",
        ]
        return ("\n".join(lines) + "\n").encode()
