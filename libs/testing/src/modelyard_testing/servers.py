"""Real servers for tests: the same parts that `modelyard up` starts, without a supervisor."""

import asyncio
import subprocess
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from modelyard.stack import logs, process
from modelyard.stack.layout import Layout
from modelyard.stack.parts import Part
from modelyard.stack.probes import NotReadyError, wait_until

T = TypeVar("T")


def in_thread(awaitable: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop and thread of its own: fixtures that are not async leave a test's own loop alone."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, awaitable).result()


@contextmanager
def running(layout: Layout, part: Part) -> Iterator["subprocess.Popen[bytes]"]:
    """A part that is ready, ended with all of its processes on leaving.

    Raises:
        NotReadyError: it does not come up; the message has the end of its log.
    """
    if part.prepare is not None:
        part.prepare()
    with process.open_log(layout.log(part.name)) as output:
        child = subprocess.Popen(
            process.launched(part.command, death_signal=part.stop_signal, user=part.user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(part.environment),
            cwd=part.folder,
            start_new_session=True,
        )
    try:
        try:
            in_thread(wait_until(part.ready, part.start_timeout_s))
        except NotReadyError as error:
            tail = "\n".join(logs.tail(layout.log(part.name), 20))
            raise NotReadyError(f"{part.name}: {error}\n{tail}") from error
        yield child
    finally:
        in_thread(process.end(child.pid, part.stop_signal, part.stop_timeout_s))
        child.wait()
