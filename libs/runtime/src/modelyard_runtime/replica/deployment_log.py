"""What `deployment logs` shows: what the score script prints and what the replica has to say, in a ring and in a
file."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RING_BYTES: Final = 256 * 1024
FILE_BYTES: Final = 8 * 1024 * 1024


class DeploymentLog:
    """The last 256 KiB in memory, and at most two files of 8 MiB: `<file>` and, before it, `<file>.1`. A full disk
    loses the file, not the replica.

    Safe to use from any thread.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ring: deque[bytes] = deque()
        self._ring_bytes = 0
        self._lock = threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._out = file.open("ab", buffering=0)
        self._written = file.stat().st_size

    def write(self, chunk: bytes) -> None:
        """Appends as it is."""
        with self._lock:
            self._ring.append(chunk)
            self._ring_bytes += len(chunk)
            while self._ring_bytes > RING_BYTES and len(self._ring) > 1:
                self._ring_bytes -= len(self._ring.popleft())
            try:
                if self._written > FILE_BYTES:
                    self._out.close()
                    self._file.replace(self._file.with_name(self._file.name + ".1"))
                    self._out = self._file.open("ab", buffering=0)
                    self._written = 0
                self._written += self._out.write(chunk)
            except (OSError, ValueError):
                return

    def say(self, line: str) -> None:
        """Appends a line of the replica's own, with the time."""
        self.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} replica: {line}\n".encode())

    def tail(self, size: int = RING_BYTES) -> bytes:
        """The last `size` bytes that are still in memory."""
        with self._lock:
            return b"".join(self._ring)[-size:]

    def close(self) -> None:
        with self._lock:
            self._out.close()
