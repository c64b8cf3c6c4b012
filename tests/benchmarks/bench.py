"""What the benchmarks of one run share."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.benchmarks.stack import Stack, running


class Bench:
    """A folder that is removed at the end, and one running stack, started when the first benchmark asks for it."""

    def __init__(self) -> None:
        self._at_end = ExitStack()
        self._stack: Stack | None = None

    def __enter__(self) -> Self:
        self._folder = Path(self._at_end.enter_context(tempfile.TemporaryDirectory(prefix="modelyard-bench-")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_end.__exit__(kind, error, trace)

    def folder(self, name: str) -> Path:
        """A folder of this name, made when missing."""
        path = self._folder / name
        path.mkdir(exist_ok=True)
        return path

    def stack(self) -> Stack:
        """The running stack. Raises StackError when it does not come up."""
        if self._stack is None:
            tell("starting a stack")
            self._stack = self._at_end.enter_context(running(self.folder("stack")))
        return self._stack


def tell(what: str) -> None:
    """Progress, for who waits."""
    sys.stderr.write(f"  {what}\n")
    sys.stderr.flush()
