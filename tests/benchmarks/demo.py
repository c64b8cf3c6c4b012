"""How long the main job takes, from data to a retrained model."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modelyard.stack import process
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.rows import Row, at_most

NAMES: Final = ("demo_s",)

_GOAL_S: Final = 300.0
_LIMIT_S: Final = 900.0
_STOP_S: Final = 60.0
_ROOT: Final = Path(__file__).parents[2]


class DemoFailedError(Exception):
    """The demo did not do what it says."""


def rows(bench: Bench) -> Sequence[Row]:
    """`make demo </dev/null`, installed already (this very process is)."""
    output = bench.folder("demo") / "output.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    tell("make demo")
    began = time.monotonic()
    with output.open("wb") as file:
        child = subprocess.Popen(
            process.launched(["make", "demo"]),
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        code = child.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise DemoFailedError(f"not at its end after {_LIMIT_S:g} s:\n{_tail(output)}") from None
    finally:
        _end(child)
    took_s = time.monotonic() - began
    if code != 0:
        raise DemoFailedError(f"exit status {code}:\n{_tail(output)}")
    return [at_most(_GOAL_S, "demo_s", took_s, "s")]


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ctrl-C to all of it, then the end of what is left."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if child.poll() is None:
            os.killpg(child.pid, number)
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                continue


def _tail(output: Path) -> str:
    return "\n".join(output.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
