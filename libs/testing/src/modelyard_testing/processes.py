"""Looking at processes that may end while they are looked at."""

import os

import psutil


def lives(pid: int) -> bool:
    """The process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def living(*, session: int | None = None, group: int | None = None) -> list[int]:
    """The living processes of a session, or of a process group."""
    found = []
    for pid in psutil.pids():
        try:
            belongs = os.getsid(pid) == session if session is not None else os.getpgid(pid) == group
        except ProcessLookupError:
            continue
        if belongs and lives(pid):
            found.append(pid)
    return found
