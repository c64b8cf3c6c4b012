"""How long `modelyard up` takes, and what the idle stack weighs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.benchmarks import memory
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.rows import Row, at_most
from tests.benchmarks.stack import running

NAMES: Final = ("up_ready_s", "up_pss_gib")

_READY_S: Final = 30.0
_PSS_GIB: Final = 3.0


def rows(bench: Bench) -> Sequence[Row]:
    """The first start makes the data folder and warms the file cache; the second one is the promise."""
    home = bench.folder("up")
    tell("modelyard up, for the first time")
    with running(home) as stack:
        first_s = stack.ready_s
    tell("modelyard up, again")
    with running(home) as stack:
        tell("waiting until its memory has settled")
        sizes = memory.settled(stack.layout)
    parts = sorted(sizes.items(), key=lambda entry: -entry[1])
    tell("PSS in MiB: " + ", ".join(f"{name} {size / 2**20:.0f}" for name, size in parts))
    return [
        Row(name="up_first_ready_s", value=first_s, unit="s"),
        at_most(_READY_S, "up_ready_s", stack.ready_s, "s"),
        at_most(_PSS_GIB, "up_pss_gib", sum(sizes.values()) / 2**30, "GiB"),
    ]
