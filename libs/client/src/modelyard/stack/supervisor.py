"""Keeps a stack's parts running: starts them as soon as what they need is there, restarts what dies, ends all in reverse order."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelyard.stack import logs, process, state
from modelyard.stack.layout import Layout, StackError
from modelyard.stack.parts import Part
from modelyard.stack.probes import NotReadyError, wait_until
from modelyard.stack.provision import OneShot
from modelyard.stack.state import PartStatus, RunStatus

_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 10.0
_HEALTHY_S: Final = 30.0
# A part that was never ready gets this many attempts: then the stack is what is wrong, and says so.
_START_ATTEMPTS: Final = 5
_JOB_ATTEMPTS: Final = 3
_HOUSEKEEPING_S: Final = 5.0
_TAIL_LINES: Final = 15


class PartFailedError(StackError):
    """A part or one-shot job does not come up."""

    def __init__(self, name: str, reason: str, log: Path) -> None:
        tail = "\n".join(f"  {line}" for line in logs.tail(log, _TAIL_LINES))
        super().__init__(f"{name} does not come up: {reason}" + (f"\nthe end of {log}:\n{tail}" if tail else ""))
        self.name = name


class Supervisor:
    """Runs the parts and one-shot jobs of one stack whose lock the caller holds.

    `on_change` is called with every new status, from the event loop.
    """

    def __init__(
        self,
        layout: Layout,
        parts: Sequence[Part],
        jobs: Sequence[OneShot],
        on_change: Callable[[RunStatus], None] | None = None,
    ) -> None:
        self._layout = layout
        self._parts = {part.name: part for part in parts}
        self._jobs = {job.name: job for job in jobs if job.after <= self._parts.keys()}
        self._on_change = on_change
        self._up = {name: asyncio.Event() for name in (*self._parts, *self._jobs)}
        self._stop = asyncio.Event()
        self._hurry = False
        self.status = RunStatus(
            state="starting",
            pid=os.getpid(),
            boot=boot_id(),
            started_at=time.time(),
            parts={part.name: PartStatus(name=part.name, port=part.port) for part in parts}
            | {name: PartStatus(name=name) for name in self._jobs},
        )

    def stop(self) -> None:
        """Ask the stack to end; a second call ends it without grace."""
        self._hurry = self._stop.is_set()
        self._stop.set()

    async def run(self) -> None:
        """Run until `stop`, then end every part.

        Raises:
            PartFailedError: a part or job did not come up; everything has been ended.
        """
        self._tell()
        keepers = {part.name: asyncio.create_task(self._keep(part), name=part.name) for part in self._parts.values()}
        chores = [asyncio.create_task(self._do(job), name=job.name) for job in self._jobs.values()]
        chores += [asyncio.create_task(self._announce()), asyncio.create_task(self._bound_logs())]
        stopped = asyncio.create_task(self._stop.wait())
        watched: set[asyncio.Task[Any]] = {stopped, *keepers.values(), *chores}
        failure: BaseException | None = None
        try:
            while failure is None and not stopped.done():
                done, watched = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                failure = next((task.exception() for task in done if task.exception()), None)
        finally:
            self._tell(state="stopping", detail=str(failure or ""))
            for chore in (stopped, *chores):
                chore.cancel()
            await asyncio.gather(stopped, *chores, return_exceptions=True)
            await self._end_in_reverse(keepers)
            self._tell(state="failed" if failure else "stopped")
        if failure is not None:
            raise failure

    async def _keep(self, part: Part) -> None:
        """Start the part again and again, with growing delays, until cancelled."""
        await self._wait_for(part.after)
        delay, attempts, ever_ready = _FIRST_DELAY_S, 0, False
        while True:
            began = time.monotonic()
            reason = await self._run_once(part)
            ever_ready = ever_ready or self._up[part.name].is_set()
            attempts += 1
            if not ever_ready and attempts >= _START_ATTEMPTS:
                self._tell_part(part.name, state="failed", pid=None, detail=reason)
                raise PartFailedError(part.name, f"{reason}, {attempts} times", self._layout.log(part.name))
            if time.monotonic() - began > _HEALTHY_S:
                delay = _FIRST_DELAY_S
            restarts = self.status.parts[part.name].restarts + 1
            self._tell_part(
                part.name, state="restarting", pid=None, restarts=restarts, detail=f"{reason}; again in {delay:.1f} s"
            )
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def _run_once(self, part: Part) -> str:
        """Start the part, follow it to its end and tell how it ended. However this is left, nothing of the part lives on."""
        began = time.monotonic()
        self._tell_part(part.name, state="starting", detail="")
        log = self._layout.log(part.name)
        try:
            if part.prepare is not None:
                await asyncio.to_thread(part.prepare)
        except (StackError, OSError) as error:
            return str(error)
        child = await process.start(
            part.command,
            environment=part.environment,
            folder=part.folder,
            log=log,
            death_signal=part.stop_signal,
            user=part.user,
        )
        exited = asyncio.create_task(child.wait())
        ready = asyncio.create_task(wait_until(part.ready, part.start_timeout_s))
        try:
            self._tell_part(part.name, pid=child.pid, started_at=process.started_at(child.pid))
            await asyncio.wait({exited, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                if isinstance(late := ready.exception(), NotReadyError):
                    return str(late)
                ready.result()
                self._tell_part(part.name, state="ready", took_s=round(time.monotonic() - began, 2), detail="")
                self._up[part.name].set()
            await asyncio.wait({exited})  # not `await exited`: when this is cancelled, that would be too
            return _how_it_ended(exited.result())
        finally:
            ready.cancel()
            if not exited.done():
                self._tell_part(part.name, state="stopping")
            await asyncio.shield(process.end(child.pid, part.stop_signal, 0 if self._hurry else part.stop_timeout_s))
            await asyncio.gather(exited, ready, return_exceptions=True)

    async def _do(self, job: OneShot) -> None:
        await self._wait_for(job.after)
        began = time.monotonic()
        for attempt in range(1, _JOB_ATTEMPTS + 1):
            self._tell_part(job.name, state="starting")
            try:
                await job.run()
                break
            except Exception as error:
                reason = _told(error)
                self._tell_part(job.name, state="restarting", restarts=attempt, detail=reason)
                if attempt == _JOB_ATTEMPTS:
                    self._tell_part(job.name, state="failed", detail=reason)
                    raise PartFailedError(job.name, reason, self._layout.log(job.name)) from error
                await asyncio.sleep(_FIRST_DELAY_S * 2**attempt)
        self._tell_part(job.name, state="done", took_s=round(time.monotonic() - began, 2), detail="")
        self._up[job.name].set()

    async def _wait_for(self, names: frozenset[str]) -> None:
        for name in names & self._up.keys():
            await self._up[name].wait()

    async def _announce(self) -> None:
        for event in self._up.values():
            await event.wait()
        self._tell(state="running", ready_s=round(time.time() - (self.status.started_at or 0), 2))

    async def _bound_logs(self) -> None:
        while True:
            for name in self._parts:
                await asyncio.to_thread(logs.bound, self._layout.log(name))
            await asyncio.sleep(_HOUSEKEEPING_S)

    async def _end_in_reverse(self, keepers: Mapping[str, "asyncio.Task[None]"]) -> None:
        """End each part when nothing that needs it is left."""
        needed_by = {
            name: [other.name for other in self._parts.values() if name in self._needs(other.after)]
            for name in self._parts
        }
        ended = {name: asyncio.Event() for name in self._parts}

        async def end(name: str) -> None:
            for other in needed_by[name]:
                await ended[other].wait()
            keepers[name].cancel()
            await asyncio.wait({keepers[name]})
            if self.status.parts[name].state != "failed":
                self._tell_part(name, state="stopped", pid=None, detail="")
            ended[name].set()

        await asyncio.gather(*(end(name) for name in self._parts))

    def _needs(self, after: frozenset[str]) -> set[str]:
        """Everything that `after` stands on: the parts and jobs named, and theirs."""
        needs = set(after & self._up.keys())
        for name in tuple(needs):
            needs |= self._needs((self._parts.get(name) or self._jobs[name]).after)
        return needs

    def _tell_part(self, name: str, **changes: Any) -> None:
        self.status = self.status.with_part(name, **changes)
        self._tell()

    def _tell(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)
        state.write(self._layout, self.status)
        if self._on_change is not None:
            self._on_change(self.status)


def boot_id() -> str:
    """Tells one boot of this machine from another; empty where the system does not say."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else ""


def _how_it_ended(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exited with {code}"


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(inner) for inner in error.exceptions)
    return f"{type(error).__name__}: {error}"
