"""What people and scripts do with a stack: bring it up, ask after it, take it down."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final

from modelyard.stack import parts, process, services, state
from modelyard.stack.layout import Layout, StackError, StackRunningError
from modelyard.stack.provision import jobs
from modelyard.stack.state import RunStatus
from modelyard.stack.supervisor import Supervisor, boot_id

_POLL_S: Final = 0.05
_UP_TIMEOUT_S: Final = 180.0
_DOWN_TIMEOUT_S: Final = 90.0


async def up(
    layout: Layout, names: tuple[str, ...] = services.ALL, on_change: Callable[[RunStatus], None] | None = None
) -> None:
    """Run a stack in this process until it is told to stop (SIGINT, SIGTERM, SIGHUP, or cancellation); a second signal hurries it.

    What an earlier supervisor left behind is ended first.

    Raises:
        StackRunningError: another supervisor runs on this folder.
        StackError: a part did not come up; everything has been ended.
    """
    with layout.lock():
        await _end_left_over(layout)
        layout.assign_ports(port for name in services.ALL for port in parts.ports_of(name))
        layout.owner_token()
        owners = tuple(owner for owner in services.OWNERS if owner.replace("_", "-") in names)
        supervisor = Supervisor(layout, services.describe(layout, names), jobs(layout, owners), on_change)
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, supervisor.stop)
        try:
            await supervisor.run()
        finally:
            for number in signals:
                loop.remove_signal_handler(number)
            layout.remove_sockets()


def up_detached(layout: Layout, names: tuple[str, ...] = services.ALL) -> None:
    """Start a supervisor in a session of its own, and wait until all is ready.

    Raises:
        StackRunningError: another supervisor runs on this folder.
        StackError: it ended before all was ready; the message has the reason.
    """
    if (holder := layout.holder()) is not None:
        raise StackRunningError(layout.home, holder)
    with process.open_log(layout.log("supervisor")) as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "modelyard.stack", str(layout.home), *names],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    wait_until_up(layout, child)


def wait_until_up(layout: Layout, child: "subprocess.Popen[bytes]", timeout_s: float = _UP_TIMEOUT_S) -> None:
    """Wait until the stack that `child` supervises is ready.

    Raises:
        StackError: the child ended or time ran out.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        now = state.read(layout)
        if now.pid == child.pid and now.state == "running":
            child.returncode = 0  # it goes on without us: no warning that it still runs
            return
        if child.poll() is not None:
            detail = now.detail if now.pid == child.pid else ""
            raise StackError(f"the supervisor ended: {detail or f'see {layout.home}/logs/supervisor.log'}")
        if time.monotonic() > deadline:
            late = ", ".join(
                f"{part.name} ({part.state})" for part in now.parts.values() if part.state not in {"ready", "done"}
            )
            child.terminate()
            raise StackError(f"not ready after {timeout_s:g} s: {late}")
        time.sleep(_POLL_S)


def down(layout: Layout, timeout_s: float = _DOWN_TIMEOUT_S) -> bool:
    """Stop a stack and wait until no process of it is left; tells whether there was anything to stop.

    Raises:
        StackError: the supervisor could neither be stopped nor killed.
    """
    found = False
    deadline = time.monotonic() + timeout_s
    asked: int | None = None
    while (holder := layout.holder()) is not None:
        found = True
        if holder > 0 and holder != asked:
            os.kill(holder, signal.SIGTERM)
            asked = holder
        elif asked and time.monotonic() > deadline:
            os.kill(asked, signal.SIGKILL)
            deadline, asked = time.monotonic() + _POLL_S, -1
        elif asked == -1 and time.monotonic() > deadline:
            raise StackError(f"the supervisor (pid {holder}) survived SIGKILL")
        time.sleep(_POLL_S)
    with layout.lock():
        return asyncio.run(_end_left_over(layout)) or found


def status(layout: Layout) -> dict[str, Any]:
    """The stack now, as `modelyard status -o json` prints it. It holds secrets: for its own user's scripts.

    Keys: `state` (starting, running, stopping, stopped, failed), `pid`, `home`, `url`, `token_file`, `nats`, `postgres`, `s3`,
    `s3_access_key`, `s3_secret_key`, `ready_s`, `detail`, and `parts`, a list of
    `{name, state, pid, port, restarts, took_s, started_at, detail}`.
    """
    now = state.read(layout)
    holder = layout.holder()
    if holder is None:
        now = _stopped(now)
    elif holder != now.pid:
        now = RunStatus(state="starting", pid=holder)  # it has not written its first status yet
    document: dict[str, Any] = {
        "state": now.state,
        "pid": now.pid,
        "home": str(layout.home),
        "ready_s": now.ready_s,
        "detail": now.detail,
        "url": None,
        "token_file": str(layout.token_file),
        "nats": None,
        "postgres": None,
        "s3": None,
    }
    if layout.ports:
        document |= {
            "url": services.url(layout),
            "nats": parts.nats_url(layout),
            "postgres": parts.postgres_dsn(layout),
            "s3": parts.s3_url(layout),
            "s3_access_key": "modelyard",
            "s3_secret_key": layout.secret("s3"),
        }
    return document | {"parts": [asdict(part) for part in now.parts.values()]}


async def _end_left_over(layout: Layout) -> bool:
    """End what a supervisor that was killed left behind. The lock must be held."""
    before = state.read(layout)
    recorded = [(part.pid, part.started_at) for part in before.parts.values() if part.pid and part.started_at]
    if before.boot == boot_id():
        await process.end_left_over(recorded)
    layout.remove_sockets()
    if before.parts:
        state.write(layout, _stopped(before))
    return bool(recorded)


def _stopped(before: RunStatus) -> RunStatus:
    ended = {
        name: replace(part, state="stopped", pid=None) if part.pid else part for name, part in before.parts.items()
    }
    last = before.state if before.state in {"stopped", "failed"} else "stopped"
    return replace(before, state=last, pid=None, parts=ended)
