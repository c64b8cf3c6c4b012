"""The parts' processes: each part leads a session of its own, and ends with everything in it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import BinaryIO

import psutil

_LAUNCH = Path(__file__).with_name("launch.py")
_KILL_TIMEOUT_S = 5.0
_POLL_S = 0.02
# A recorded start time and the kernel's may differ by a clock tick and the clock's adjustments.
_SAME_START_S = 2.0


def launched(command: Sequence[str], *, death_signal: int = signal.SIGTERM, user: str | None = None) -> list[str]:
    """The command line that runs `command` as a child which ends with this process (see launch.py)."""
    return [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(death_signal)), user or "-", *command]


async def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    death_signal: int,
    user: str | None,
) -> asyncio.subprocess.Process:
    """Start a part in a session of its own, its output appended to `log`."""
    with open_log(log) as output:
        return await asyncio.create_subprocess_exec(
            *launched(command, death_signal=death_signal, user=user),
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )


def open_log(log: Path) -> BinaryIO:
    """A log to append to, which only its user can read."""
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def started_at(pid: int) -> float | None:
    """When the process began (seconds since the epoch), None when there is none."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def members(session: int) -> list[psutil.Process]:
    """The living processes of a session and all that descend from its leader, the leader first.

    A process that made a session of its own (PostgreSQL's back ends do) is found by its descent.
    """
    found: dict[int, psutil.Process] = {}
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                found[pid] = psutil.Process(pid)
                if pid == session:
                    found |= {child.pid: child for child in found[pid].children(recursive=True)}
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return sorted(
        (process for process in found.values() if is_alive(process)), key=lambda process: process.pid != session
    )


def is_alive(process: psutil.Process) -> bool:
    """Runs still, as the same process and not as a zombie."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def end(session: int, first_signal: int, timeout_s: float) -> None:
    """Ask the leader to end, wait, then kill whatever of its session is left.

    Raises:
        TimeoutError: something survived SIGKILL for 5 s.
    """
    processes = members(session)
    _signal([process for process in processes if process.pid == session], first_signal)
    await _gone([process for process in processes if process.pid == session], timeout_s)
    processes = list({process.pid: process for process in (*processes, *members(session))}.values())
    _signal(processes, signal.SIGKILL)
    if left := await _gone(processes, _KILL_TIMEOUT_S):
        raise TimeoutError(f"processes {left} survived SIGKILL")


async def _gone(processes: Sequence[psutil.Process], timeout_s: float) -> list[int]:
    """Wait until the processes have ended; the pids of those that live on after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while left := [process.pid for process in processes if is_alive(process)]:
        if time.monotonic() > deadline:
            return left
        await asyncio.sleep(_POLL_S)
    return []


async def end_left_over(recorded: Iterable[tuple[int, float]], timeout_s: float = 10.0) -> None:
    """End what an earlier supervisor left behind: sessions by their leader's pid and start time.

    The kernel gives a pid to no new process while it is some session's number. So a leader that began at another time
    is a stranger, and nothing of the recorded session lives.
    """

    def is_ours(pid: int, began: float) -> bool:
        now = started_at(pid)
        return now is None or abs(now - began) < _SAME_START_S

    await asyncio.gather(*(end(pid, signal.SIGTERM, timeout_s) for pid, began in recorded if is_ours(pid, began)))


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
