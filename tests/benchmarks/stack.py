"""A real `modelyard up`, for as long as a benchmark needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelyard.stack import Layout, StackError, down, process, wait_until_up
from modelyard.stack.services import url

_STOP_S: Final = 60.0
COMMAND: Final = (str(Path(sys.executable).with_name("modelyard")), "up")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that is ready. `ready_s` is the time from the command to all-ready, as who typed it sees it."""

    layout: Layout
    ready_s: float

    @property
    def url(self) -> str:
        """The edge's address."""
        return url(self.layout)

    @property
    def token(self) -> str:
        """The owner's."""
        return self.layout.owner_token()


@contextmanager
def running(home: Path) -> Iterator[Stack]:
    """`modelyard up` on a data folder, ended on leaving as Ctrl-C ends it. It ends with this process too, however that ends.

    Raises:
        StackError: it does not come up.
    """
    layout = Layout.open(home)
    began = time.monotonic()
    with process.open_log(layout.log("supervisor")) as output:
        child = subprocess.Popen(
            process.launched(COMMAND),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_environment(home),
            start_new_session=True,
        )
    try:
        wait_until_up(layout, child)
        ready_s = time.monotonic() - began
        yield Stack(layout=Layout.open(home), ready_s=ready_s)  # opened again: with the ports it has chosen
    finally:
        _end(layout, child)


def _environment(home: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MODELYARD_", "RAY_"))}
    return inherited | {"MODELYARD_HOME": str(home)}


def _end(layout: Layout, child: subprocess.Popen[bytes]) -> None:
    child.returncode = None  # wait_until_up gave the child up for a detached one; here it is waited for
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
    try:
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait(_STOP_S)
        down(layout)  # ends what the supervisor left behind
        raise StackError(f"the stack on {layout.home} did not end within {_STOP_S:g} s of Ctrl-C") from None
