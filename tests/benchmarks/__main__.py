"""Measures what is promised: `python -m tests.benchmarks [--only NAME,…] [--strict]`. Prints a table and writes `build/bench.json`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.benchmarks import demo, events, lineage, machine, profile, registering, rows, scoring, searching, up, uploads
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.rows import Row

# Those that want the machine for themselves come first: the last ones share a running stack.
BENCHMARKS: Final[tuple[tuple[tuple[str, ...], Callable[[Bench], Sequence[Row]]], ...]] = (
    (up.NAMES, up.rows),
    (profile.NAMES, profile.rows),
    (demo.NAMES, demo.rows),
    (events.NAMES, events.rows),
    (registering.NAMES, registering.rows),
    (searching.NAMES, searching.rows),
    (lineage.NAMES, lineage.rows),
    (uploads.NAMES, uploads.rows),
    (scoring.NAMES, scoring.rows),
)
ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "build" / "bench.json"
_QUIET: Final = 0.15


def main() -> int:
    """Exit status 1 when something could not be measured, or with `--strict` when a goal was missed."""
    names = [name for known, _ in BENCHMARKS for name in known]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME,…", help=f"some of {', '.join(names)}")
    parser.add_argument("--strict", action="store_true", help="exit status 1 when a goal is missed")
    options = parser.parse_args()
    wanted = set(options.only.split(",")) if options.only else set(names)
    if unknown := wanted - set(names):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    logging.basicConfig(level=logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what runs is ended in order

    on, load = machine.description(), machine.busy()
    if load > _QUIET:
        tell(f"other processes use {load:.0%} of this machine: the figures will be worse than it can do")
    measured: list[Row] = []
    with Bench() as bench:
        for known, benchmark in BENCHMARKS:
            if wanted & set(known):
                measured += [replace(row, machine=on) for row in _measure(bench, known, benchmark)]
    rows.write(measured, FILE)
    print(f"{on}\n\n{rows.table(measured)}\n\nwritten to {FILE.relative_to(ROOT)}")
    failed = any(row.value is None for row in measured)
    missed = any(row.ok is False for row in measured)
    return 1 if failed or (missed and options.strict) else 0


def _measure(bench: Bench, names: Sequence[str], benchmark: Callable[[Bench], Sequence[Row]]) -> list[Row]:
    """One benchmark's rows; when it fails, rows without a value, and the others still run."""
    tell(", ".join(names))
    began = time.monotonic()
    try:
        found = benchmark(bench)
    except Exception as error:
        logging.getLogger(__name__).exception("%s", ", ".join(names))
        tell(f"failed: {error}")
        found = [Row(name=name, value=None, unit="", ok=False) for name in names]
    tell(f"took {time.monotonic() - began:.0f} s")
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return [replace(row, at=at) for row in found]


if __name__ == "__main__":
    sys.exit(main())
