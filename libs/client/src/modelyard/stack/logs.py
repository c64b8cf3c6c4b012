"""The parts' log files: appended to by the parts themselves, kept bounded by the supervisor."""

import shutil
from pathlib import Path

LARGEST_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 64 * 1024


def bound(log: Path) -> None:
    """Move what a log holds to `<name>.1` when it has grown too large.

    The writer goes on with the file it has open: it appends, so after the truncation it continues at the start.
    """
    if log.exists() and log.stat().st_size > LARGEST_BYTES:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        with log.open("r+b") as file:
            file.truncate(0)


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log (of its last 64 KiB when `lines` is small), none when there is no log."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - max(_TAIL_BYTES, lines * 512)))
        return file.read().decode(errors="replace").splitlines()[-lines:] if lines else []


def appended(log: Path, position: int) -> tuple[str, int]:
    """What was written since `position`, with the new position; starts over when the log was truncated."""
    size = log.stat().st_size if log.exists() else 0
    if size < position:
        position = 0
    if size == position:
        return "", position
    with log.open("rb") as file:
        file.seek(position)
        return file.read(size - position).decode(errors="replace"), size
