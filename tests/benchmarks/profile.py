"""How long a table takes to be profiled, and how much memory: a process of its own, as the registry's worker does it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.rows import Row, at_most

NAMES: Final = ("profile_s", "profile_peak_mib")

_GOAL_S: Final = 4.0
_GOAL_MIB: Final = 1024.0
_ROWS: Final = 1_000_000
_NUMBERS: Final = 12
_TIMES: Final = 3
_LIMIT_S: Final = 120

_CHILD: Final = """
import json, resource, sys, time
from pathlib import Path
from modelyard_profiles import TableProfile, profile_file
began = time.perf_counter()
profile = profile_file(Path(sys.argv[1]))
profile.to_bytes(), profile.document()
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, profile.rows, len(profile.columns)]))
"""


def rows(bench: Bench) -> Sequence[Row]:
    """The best of three of a CSV file (the promise) and of the same table as Parquet; peak resident memory of the worst."""
    table = make_table(_ROWS)
    folder = bench.folder("profile")
    pa.csv.write_csv(table, folder / "table.csv")
    pa.parquet.write_table(table, folder / "table.parquet")
    tell(f"{_ROWS:,} x {table.num_columns}, {(folder / 'table.csv').stat().st_size >> 20} MiB of CSV")
    csv = [measure(folder / "table.csv") for _ in range(_TIMES)]
    parquet = [measure(folder / "table.parquet") for _ in range(_TIMES)]
    return [
        at_most(_GOAL_S, "profile_s", min(seconds for seconds, _ in csv), "s"),
        Row(name="profile_parquet_s", value=min(seconds for seconds, _ in parquet), unit="s"),
        at_most(_GOAL_MIB, "profile_peak_mib", max(peak for _, peak in csv + parquet), "MiB"),
    ]


def make_table(count: int) -> pa.Table:
    """Twenty columns as tables have them: measurements, counts, an identifier, categories, words, truth values, times, gaps."""
    generator = np.random.default_rng(7)
    columns: dict[str, object] = {f"number{at}": generator.normal(at, 10, count).round(3) for at in range(_NUMBERS)}
    columns["gaps"] = pa.array(generator.normal(0, 1, count).round(4), mask=generator.random(count) < 0.1)
    columns["id"] = np.arange(count)
    columns["seats"] = generator.integers(0, 400, count)
    columns["carrier"] = generator.choice(["AA", "B6", "DL", "UA", "WN"], count)
    columns["tail"] = np.char.add("N", generator.integers(0, 4_000, count).astype(str))
    columns["late"] = generator.random(count) < 0.25
    columns["day"] = pa.array(generator.integers(0, 365, count), pa.int32()).cast(pa.date32())
    columns["at"] = pa.array(generator.integers(0, 31_536_000, count), pa.timestamp("s"))
    return pa.table(columns)


def measure(file: Path) -> tuple[float, float]:
    """Seconds and peak resident MiB of one profile, imports of Arrow's readers included."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(file)], check=True, capture_output=True, text=True, timeout=_LIMIT_S
    )
    seconds, peak, rows, columns = json.loads(done.stdout)
    assert (rows, columns) == (_ROWS, 20)
    return seconds, peak
