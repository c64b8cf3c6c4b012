"""What runs on the Ray node: one attempt at one step, from its order to its result."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import nats
import uv
from nats.aio.client import Client
from nats.aio.msg import Msg

from modelyard_contracts.work import StepOrder, StepResult, StepStart
from modelyard_platform.errors import PlatformError
from modelyard_platform.external import ExternalStore
from modelyard_platform.manifests import IntegrityError, Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import NodeSettings
from modelyard_runtime import environments
from modelyard_runtime.runner import command, logs
from modelyard_runtime.runner.command import CommandEnd
from modelyard_runtime.runner.folder import StepFolder
from modelyard_runtime.runner.outcome import Interrupted, Report

log = logging.getLogger(__name__)

CONTROL: Final = "work.control"
_DELAYS_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)

T = TypeVar("T")


def run_step(order: StepOrder) -> Iterator[Report]:
    """The Ray task: that it has started, then its result. Settings are the node's (`MODELYARD_NODE_…`)."""
    yield StepStart(node=socket.gethostname())
    settings = NodeSettings()
    try:
        yield asyncio.run(_run(order, settings, ObjectStore(settings)))
    except PlatformError as error:
        yield Interrupted(error.detail)


async def _run(order: StepOrder, settings: NodeSettings, store: ObjectStore) -> StepResult:
    started = time.monotonic()
    try:
        folder = StepFolder(settings.data_dir, order)
    except PlatformError as error:
        return StepResult(status="failed", reason=error.detail, node=socket.gethostname())
    canceled = asyncio.Event()
    async with folder.held(), _nats(settings, order, canceled) as client:
        try:
            with closing(logs.StepLog(folder.log)) as lines:
                async with logs.shipping(lines, client, order):
                    result = await _attempt(order, settings, store, folder, lines, canceled)
                    lines.close()
            digest = await _patiently(lambda: folder.store_log(store))
        except BaseException:
            folder.leave(failed=True)
            raise
        folder.leave(failed=result.status == "failed")
    return result.model_copy(
        update={"log": digest, "node": socket.gethostname(), "seconds": round(time.monotonic() - started, 3)}
    )


async def _attempt(
    order: StepOrder,
    settings: NodeSettings,
    store: ObjectStore,
    folder: StepFolder,
    lines: logs.StepLog,
    canceled: asyncio.Event,
) -> StepResult:
    """Prepares, runs and stores. Errors of the step's own become a failed result; of kind `unavailable` they are raised."""
    end: CommandEnd | None = None
    refused: str | None = None
    try:
        interpreter, inputs = await _unless(canceled, _prepare(order, settings, store, folder))
        end = await command.run(
            command.render(order.command, inputs, folder.output_paths()),
            cwd=folder.code,
            environment=command.variables(order, interpreter, folder.home, settings.public_url),
            timeout_s=order.timeout_s,
            sink=lines.write,
            canceled=canceled,
        )
        if (reason := failure(end, order.timeout_s)) is None:
            outputs = await _patiently(lambda: folder.store_outputs(store))
            return StepResult(
                status="completed",
                exit_code=0,
                outputs=outputs,
                log_tail=lines.tail(),
                peak_rss_bytes=end.peak_rss_bytes,
            )
    except asyncio.CancelledError:
        if not canceled.is_set():
            raise
        reason = "canceled before the command started"
    except PlatformError as error:
        if error.kind == "unavailable":
            raise
        reason = error.detail
        refused = error.subject if isinstance(error, IntegrityError) else None
    lines.note(reason)
    return StepResult(
        status="canceled" if canceled.is_set() else "failed",
        exit_code=end.exit_code if end else None,
        reason=reason,
        refused=refused,
        log_tail=lines.tail(),
        peak_rss_bytes=end.peak_rss_bytes if end else None,
    )


def failure(end: CommandEnd, timeout_s: float) -> str | None:
    """Why the command did not do what it should, or None."""
    match end:
        case CommandEnd(ended_by="cancel"):
            return "canceled"
        case CommandEnd(ended_by="timeout"):
            return f"the command ran past its limit of {timeout_s:g} s"
        case CommandEnd(signal=str(name)):
            return f"the command was killed by {name}"
        case CommandEnd(exit_code=0):
            return None
        case _:
            return f"the command ended with exit code {end.exit_code}"


async def _prepare(
    order: StepOrder, settings: NodeSettings, store: ObjectStore, folder: StepFolder
) -> tuple[Path | None, dict[str, str]]:
    """The environment's interpreter (None: the node's own), and what the inputs' placeholders stand for."""

    def interpreter() -> Path | None:
        if order.environment is None:
            return None
        lock = environments.Lock.parse(store.get_bytes(order.environment))
        return environments.materialise(lock, settings.data_dir.resolve(), uv.find_uv_bin())

    outside, verifier = ExternalStore(settings), Verifier.read(settings.signing_public_key)
    return await _patiently(interpreter), await _patiently(lambda: folder.fetch(store, outside, verifier))


async def _unless(canceled: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """The work's value. Raises CancelledError when `canceled` is set before there is one."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(canceled.wait())
    try:
        await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()  # no effect on what is done
        return await working
    finally:
        working.cancel()
        waiting.cancel()


async def _patiently(call: Callable[[], T]) -> T:
    """The call's value, from a thread; tried again, with delays, while what it needs is unavailable."""
    for delay in _DELAYS_S:
        try:
            return await asyncio.to_thread(call)
        except PlatformError as error:
            if error.kind != "unavailable":
                raise
            log.warning("not available, trying again", extra={"error": error.detail, "delay_s": delay})
        await asyncio.sleep(delay)
    return await asyncio.to_thread(call)


@asynccontextmanager
async def _nats(settings: NodeSettings, order: StepOrder, canceled: asyncio.Event) -> AsyncIterator[Client]:
    """A connection that is made in the background, since a step needs none to run, and that sets `canceled` when told to."""
    client = Client()

    async def on_control(message: Msg) -> None:
        with suppress(ValueError, AttributeError):
            said = json.loads(message.data)
            if said.get("cancel") == order.step_id and said.get("attempt", order.attempt) == order.attempt:
                canceled.set()

    async def connect() -> None:
        await client.connect(
            settings.nats_url,
            name=f"step {order.step_id}",
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            error_cb=_quiet,
        )
        await client.subscribe(CONTROL, cb=on_control)

    connecting = asyncio.create_task(connect())
    try:
        yield client
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError, nats.errors.Error, OSError):
            await connecting
        if client.is_connected:
            await client.close()


async def _quiet(error: Exception) -> None:
    log.debug("NATS", extra={"error": repr(error)})
