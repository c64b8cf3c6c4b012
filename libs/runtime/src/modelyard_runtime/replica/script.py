"""The replica's side of a score script: starts `hosts/score_host.py` in the user's interpreter, gives it one request
at a time, restarts it when it dies.

Everything here runs on the listener's loop, which also is the thread whose end kills the host (`PR_SET_PDEATHSIG`
looks at the thread that started it).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import IO, Any, Final

import orjson

from modelyard_platform.errors import InvalidError
from modelyard_runtime import hosts
from modelyard_runtime.replica.deployment_log import DeploymentLog

HOST: Final = Path(next(iter(hosts.__path__))) / "score_host.py"
RESTARTS_IN_A_ROW: Final = 5
BACK_OFF_S: Final = 0.1
_FRAME_BYTES: Final = 64 * 1024 * 1024


class ScriptNotStartedError(Exception):
    """The script could not be loaded or its `init()` failed; the text carries the traceback."""


class ScriptFailedError(Exception):
    """`run()` raised, or its process ended, on this request."""


class ScriptTimeoutError(Exception):
    """The request's time ran out, in `run()` or before its turn came."""


class ScriptBusyError(Exception):
    """As many requests wait as may."""


class ScriptUnavailableError(Exception):
    """The process keeps dying and is no longer restarted."""


class ScriptHost:
    """A score script in its process.

    `environment` is everything the process sees besides PATH, HOME, LANG and the `AZUREML_…`/`MODELYARD_…` names set
    here.
    """

    def __init__(
        self,
        *,
        python: Path,
        code: Path,
        entry_script: str,
        model_dir: Path | None,
        home: Path,
        environment: Mapping[str, str],
        init_timeout_s: float,
        max_waiting: int,
        log: DeploymentLog,
    ) -> None:
        self._python = python
        self._code = code
        self._init_timeout_s = init_timeout_s
        self._max_waiting = max_waiting
        self._log = log
        self._environment = _environment(python, code, entry_script, model_dir, home, environment)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._up = asyncio.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._gone = asyncio.Event()  # set when `_process` has ended and been reaped
        self._gone.set()
        self._restarting: asyncio.Task[None] | None = None
        self._exchanges: set[asyncio.Task[bytes]] = set()
        self._stopped = False
        self._deaths_in_a_row = 0
        self.given_up: str | None = None
        self.restarts = 0

    @property
    def ready(self) -> bool:
        """Whether the process is there and has passed `init()`."""
        return self._up.is_set()

    async def start(self) -> None:
        """Starts the process and waits for its `init()`. Raises ScriptNotStartedError."""
        await self._spawn()

    async def run(self, body: bytes, request_id: bytes, timeout_s: float) -> bytes:
        """What `run()` gives for the body, as JSON.

        Raises:
            InvalidError: the body is not UTF-8.
            ScriptFailedError, ScriptTimeoutError, ScriptBusyError, ScriptUnavailableError: see there.
        """
        if not body.isascii():
            try:
                body.decode()
            except UnicodeDecodeError as error:
                raise InvalidError(f"the body is not UTF-8: {error}", code="invalid_encoding", path="") from None
        if self._waiting > self._max_waiting:
            raise ScriptBusyError(f"{self._max_waiting} requests are waiting for the score script already")
        self._waiting += 1
        deadline = monotonic() + timeout_s
        try:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._turn.acquire()
            except TimeoutError:
                raise ScriptTimeoutError(
                    f"no turn within {timeout_s:g} s: the score script is busy with the requests before"
                ) from None
            exchange = asyncio.create_task(self._exchange(body, request_id, deadline, timeout_s))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._turn_over)
            return await asyncio.shield(exchange)  # a client that leaves must not break the exchange of frames
        finally:
            self._waiting -= 1

    async def stop(self) -> None:
        """Ends the process and everything it started."""
        self._stopped = True
        if self._restarting is not None:
            self._restarting.cancel()
        await self._kill()

    def _turn_over(self, exchange: asyncio.Task[bytes]) -> None:
        self._exchanges.discard(exchange)
        self._turn.release()
        if not exchange.cancelled():
            exchange.exception()  # marks it as seen, should nobody await it any more

    async def _exchange(self, body: bytes, request_id: bytes, deadline: float, timeout_s: float) -> bytes:
        started = False
        try:
            async with asyncio.timeout(deadline - monotonic()):
                if not self._up.is_set():
                    if self.given_up is not None:
                        raise ScriptUnavailableError(self.given_up)
                    await self._up.wait()
                    if self.given_up is not None:
                        raise ScriptUnavailableError(self.given_up)
                started = True
                _send(
                    self._writer, {"op": "run", "id": request_id.decode("ascii", "replace"), "length": len(body)}, body
                )
                header, answer = await _receive(self._reader)
        except TimeoutError:
            if not started:
                raise ScriptTimeoutError(
                    f"the score script's process did not come back within {timeout_s:g} s"
                ) from None
            self._log.say(f"run() did not answer within {timeout_s:g} s: its process is ended")
            await self._kill()
            raise ScriptTimeoutError(
                f"run() did not answer within {timeout_s:g} s; its process was ended and is started anew"
            ) from None
        except (EOFError, OSError):
            await self._kill()
            raise ScriptFailedError("nothing: its process ended during this request") from None
        if header.get("op") != "done":
            raise ScriptFailedError(str(header.get("error")))
        self._deaths_in_a_row = 0
        return answer

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(  # noqa: ASYNC220 some milliseconds; the kernel ties the child to the thread that starts it
                [self._python, HOST, str(theirs.fileno()), str(os.getpid())],
                cwd=self._code,
                env=self._environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise ScriptNotStartedError(f"cannot start {self._python}: {error}") from error
        finally:
            theirs.close()
        assert process.stdout is not None
        threading.Thread(target=_pump, args=(process.stdout, self._log), name="score-host-log", daemon=True).start()
        self._process = process
        self._gone.clear()
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._watch(process)
        try:
            async with asyncio.timeout(self._init_timeout_s):
                header, _ = await _receive(self._reader)
        except TimeoutError:
            await self._kill()
            raise ScriptNotStartedError(f"init() did not finish within {self._init_timeout_s:g} s") from None
        except (EOFError, OSError):
            await self._kill()
            raise ScriptNotStartedError(
                f"the interpreter ended with {process.returncode} before init() was done:\n{self._log.tail(4096).decode(errors='replace')}"
            ) from None
        if header.get("op") != "ready":
            await self._kill()
            raise ScriptNotStartedError(str(header.get("traceback")))
        self._log.say(f"score script ready on Python {header.get('python')} (pid {process.pid})")
        self._up.set()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Calls `_ended` when the process has. A pidfd tells; the socket need not, a child of the script may hold it."""
        loop = asyncio.get_running_loop()
        pidfd = os.pidfd_open(process.pid)

        def ended() -> None:
            loop.remove_reader(pidfd)
            os.close(pidfd)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it may have left behind
            process.wait(5)
            self._writer.transport.abort()
            self._gone.set()
            if self._up.is_set() and not self._stopped:
                self._up.clear()
                self._log.say(f"score script's process ended with {process.returncode}")
                self._restarting = loop.create_task(self._restart())

        loop.add_reader(pidfd, ended)

    async def _restart(self) -> None:
        while True:
            self._deaths_in_a_row += 1
            if self._deaths_in_a_row > RESTARTS_IN_A_ROW:
                self.given_up = f"the score script's process ended {self._deaths_in_a_row} times in a row"
                self._log.say(self.given_up)
                self._up.set()  # wakes those who wait, to be told
                self._up.clear()
                return
            await asyncio.sleep(BACK_OFF_S * 2 ** (self._deaths_in_a_row - 1))
            try:
                await self._spawn()
            except ScriptNotStartedError as error:
                self._log.say(f"restart failed: {error}")
            else:
                self.restarts += 1
                return

    async def _kill(self) -> None:
        """Ends the process and what it has started, and waits until it is gone."""
        if self._process is not None and not self._gone.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._gone.wait()


def _environment(
    python: Path, code: Path, entry_script: str, model_dir: Path | None, home: Path, given: Mapping[str, str]
) -> dict[str, str]:
    environment = {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # the code tree is shared and content-addressed: nothing may be added to it
        **given,
        "AML_APP_ROOT": str(code),
        "AZUREML_ENTRY_SCRIPT": entry_script,
        "MODELYARD_APP_ROOT": str(code),
        "MODELYARD_ENTRY_SCRIPT": entry_script,
    }
    if model_dir is not None:
        environment |= {"AZUREML_MODEL_DIR": str(model_dir), "MODELYARD_MODEL_DIR": str(model_dir)}
    return environment


def _send(writer: asyncio.StreamWriter, header: dict[str, Any], body: bytes) -> None:
    text = orjson.dumps(header)
    writer.write(struct.pack(">I", len(text)) + text + body)


async def _receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    (size,) = struct.unpack(">I", await reader.readexactly(4))
    if size > _FRAME_BYTES:
        raise EOFError  # not our protocol any more: treated as a dead process
    header: dict[str, Any] = orjson.loads(await reader.readexactly(size))
    length = header.get("length", 0)
    if not isinstance(length, int) or not 0 <= length <= _FRAME_BYTES:
        raise EOFError
    return header, await reader.readexactly(length)


def _pump(out: IO[bytes], log: DeploymentLog) -> None:
    with out:
        while chunk := os.read(out.fileno(), 64 * 1024):
            log.write(chunk)
