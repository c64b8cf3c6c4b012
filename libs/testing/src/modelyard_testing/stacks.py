"""Stacks for tests: real parts, supervised by a process of their own as `modelyard up --detach` starts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil

from modelyard.stack import ALL, Layout, down, process, state, status, wait_until_up

SERVERS: Final = ("nats", "postgres", "s3")
_UP_TIMEOUT_S: Final = 60.0
_WHOLE_UP_TIMEOUT_S: Final = 240.0

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """What the condition gives, once it holds."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"the condition did not come true within {timeout_s:g} s")
        time.sleep(0.05)
    return found


class Stack:
    """A supervised stack and what a test asks of it."""

    def __init__(self, home: Path, names: tuple[str, ...] = SERVERS) -> None:
        self.layout = Layout.open(home)
        self.names = names
        self.supervisor: subprocess.Popen[bytes] | None = None

    def up(self, timeout_s: float = _UP_TIMEOUT_S) -> None:
        with process.open_log(self.layout.log("supervisor")) as output:
            command = [sys.executable, "-m", "modelyard.stack", str(self.layout.home), *self.names]
            self.supervisor = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        wait_until_up(self.layout, self.supervisor, timeout_s=timeout_s)
        self.layout = Layout.open(self.layout.home)

    def part(self, name: str) -> state.PartStatus:
        return state.read(self.layout).parts[name]

    def port(self, name: str) -> int:
        return self.layout.ports[name]

    def document(self) -> dict[str, Any]:
        return status(self.layout)

    def processes(self) -> list[psutil.Process]:
        """Every process of every part."""
        parts = state.read(self.layout).parts.values()
        return [member for part in parts if part.pid for member in process.members(part.pid)]

    def signal(self, number: int) -> int:
        """Send the supervisor a signal and wait for its end."""
        assert self.supervisor is not None
        os.kill(self.supervisor.pid, number)
        pid, code = os.waitpid(self.supervisor.pid, 0)
        assert pid == self.supervisor.pid
        return os.waitstatus_to_exitcode(code)

    def reap(self) -> None:
        """Collect a supervisor that ended (its parent here is this test, not init)."""
        assert self.supervisor is not None
        os.waitpid(self.supervisor.pid, 0)


@contextmanager
def whole_stack(home: Path) -> Iterator[Stack]:
    """Every part of a stack, ready; on leaving nothing of it runs."""
    stack = Stack(home, ALL)
    try:
        stack.up(_WHOLE_UP_TIMEOUT_S)
        yield stack
    finally:
        down(stack.layout)
        with suppress(ChildProcessError):  # it never came up, and was collected then
            stack.reap()


def accepts(port: int) -> bool:
    """Something listens on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ended(processes: list[psutil.Process]) -> bool:
    """None of them lives."""
    return not any(process.is_alive(one) for one in processes)
