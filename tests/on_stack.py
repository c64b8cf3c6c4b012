"""What the tests on a whole stack have in common."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from modelyard_testing.stacks import Stack, whole_stack

MARKS: Final = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]
"""Any of them may be the one that starts the stack, or waits for another worker's to end."""

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs `modelyard` with these words."""


@contextmanager
def the_only_stack(factory: pytest.TempPathFactory, name: str) -> Iterator[Stack]:
    """A whole stack; pytest-xdist's workers have theirs one after the other (its `xdist_group` does nothing with pytest 9.2)."""
    folder = factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (shared / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with whole_stack(factory.mktemp(name)) as stack:
            yield stack
