"""Memory of processes as the kernel accounts for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelyard.stack import process, state
from modelyard.stack.layout import Layout

_EVERY_S: Final = 3.0
_SETTLED_S: Final = 60.0
_SAME: Final = 0.01


def proportional(pid: int) -> int:
    """A process's proportional set size in bytes: its own pages, and of each shared page its share. 0 when it has ended.

    Source: /proc/PID/smaps_rollup (Linux, Documentation/filesystems/proc.rst). Raises PermissionError for another user's process.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    sizes = (line.split() for line in text.splitlines())
    return 1024 * next((int(words[1]) for words in sizes if words[0] == "Pss:"), 0)


def by_part(layout: Layout) -> dict[str, int]:
    """Bytes of every process of a running stack, summed by part; `supervisor` is the supervisor itself, `other` what no part owns."""
    now = state.read(layout)
    assert now.pid is not None, "the stack does not run"
    owners = {member.pid: part.name for part in now.parts.values() if part.pid for member in process.members(part.pid)}
    owners[now.pid] = "supervisor"
    sizes: dict[str, int] = {}
    for pid in {member.pid for member in process.members(now.pid)} | owners.keys():
        owner = owners.get(pid, "other")
        sizes[owner] = sizes.get(owner, 0) + proportional(pid)
    return sizes


def settled(layout: Layout) -> Mapping[str, int]:
    """`by_part` once it has stopped changing: three looks in a row within 1 % of each other, or the last one after a minute."""
    deadline = time.monotonic() + _SETTLED_S
    seen: list[int] = []
    while True:
        time.sleep(_EVERY_S)
        sizes = by_part(layout)
        seen = [*seen[-2:], sum(sizes.values())]
        same = len(seen) == 3 and max(seen) - min(seen) < _SAME * max(seen)
        if same or time.monotonic() > deadline:
            return sizes
