"""What people see while they wait: a line that turns on a terminal, a line for each step where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str) -> Iterator[Callable[[str], None]]:
    """Say on the error output how `what` stands, whenever it is told."""
    began = time.monotonic()
    if not sys.stderr.isatty():
        yield lambda state: print(f"{what}: {state}", file=sys.stderr, flush=True)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    with console.status(Text(what)) as turning:

        def tell(state: str) -> None:
            console.print(Text(f"{what}: {state} ({time.monotonic() - began:.0f} s)"), soft_wrap=True)
            turning.update(Text(f"{what}: {state} …"))

        yield tell
