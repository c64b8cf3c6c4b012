"""From a work order to its acknowledgement: run as a Ray task, reported to the scheduler, and only then taken off the queue."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from prometheus_client import Counter, Gauge, Histogram
from pydantic import ValidationError
from ray.exceptions import RayError, TaskCancelledError

from modelyard_contracts.work import StepOrder, StepResult, StepStart
from modelyard_platform import telemetry
from modelyard_platform.cause import Cause
from modelyard_platform.clients import ServiceClient
from modelyard_platform.errors import PlatformError
from modelyard_platform.subscribers import Ack, DeadLetter, Outcome, Retry, settle
from modelyard_runtime.runner.outcome import Interrupted
from modelyard_runtime.runner.task import CONTROL, run_step

log = logging.getLogger(__name__)

MAX_INTERRUPTIONS: Final = 5
"""An order that came to no result so often is reported as failed."""

INTERRUPTED_DELAY_S: Final = 5.0
_INSIST_EVERY_S: Final = 0.5
_REPORT_DELAYS_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)

RUNNING: Final = Gauge(
    "modelyard_runner_underway", "Steps taken and not yet reported, those that wait for resources included"
)
REPORTED: Final = Counter("modelyard_runner_steps_total", "Steps that came to an end", ("status",))
SECONDS: Final = Histogram(
    "modelyard_runner_step_seconds",
    "From start to result on the node",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200),
)


class SupersededError(Exception):
    """The scheduler no longer wants this attempt: it was canceled, or another has taken its place."""


@dataclass(slots=True)
class Underway:
    """An order that this runner has in hand. `message` is its newest delivery: that one is acknowledged."""

    order: StepOrder
    message: Msg
    task: Any = None
    started: bool = False
    report: asyncio.Task[None] | None = None
    insisting: asyncio.Task[None] | None = None


class Dispatcher:
    """Runs orders. One object per process; `take` returns when the order is off the queue or given back to it."""

    def __init__(self, client: Client, scheduler: ServiceClient, *, durable: str, heartbeat_s: float) -> None:
        self._client = client
        self._scheduler = scheduler
        self._durable = durable
        self._heartbeat_s = heartbeat_s
        self._underway: dict[tuple[str, int], Underway] = {}

    async def take(self, message: Msg) -> None:
        """Handle one delivery, whatever becomes of it. A second delivery of what is under way only replaces the first."""
        try:
            order = StepOrder.model_validate_json(message.data)
        except ValidationError as error:
            await self._settle(message, DeadLetter(f"not a step order: {error}"))
            return
        key = order.step_id, order.attempt
        if (known := self._underway.get(key)) is not None:
            known.message = message
            return
        underway = self._underway[key] = Underway(order, message)
        RUNNING.inc()
        try:
            with telemetry.span(f"step {order.step}", parent=order.traceparent):
                async with self._heartbeats(underway):
                    outcome = await self._run(underway)
                await self._settle(underway.message, outcome)
        finally:
            RUNNING.dec()
            del self._underway[key]

    async def cancel(self, message: Msg) -> None:
        """`work.control`: ends the steps it names, as far as this runner has them."""
        try:
            step_id = json.loads(message.data)["cancel"]
        except (ValueError, KeyError, TypeError):
            log.warning("control message not understood", extra={"data": message.data[:200]})
            return
        for underway in self._underway.values():
            if underway.order.step_id == step_id:
                self._insist(underway)

    async def give_back(self) -> None:
        """Hands what is under way to whichever runner asks next; for a process that ends."""
        for underway in self._underway.values():
            await self._settle(underway.message, Retry(1.0, "the runner stops"))

    async def _run(self, underway: Underway) -> Outcome:
        order = underway.order
        result = await self._result(underway)
        try:
            if underway.report:
                await underway.report
            if isinstance(result, Interrupted):
                deliveries = underway.message.metadata.num_delivered
                log.warning(
                    "step interrupted", extra={"step": order.step_id, "reason": result.reason, "deliveries": deliveries}
                )
                if deliveries < MAX_INTERRUPTIONS:
                    return Retry(INTERRUPTED_DELAY_S, result.reason)
                result = StepResult(
                    status="failed", reason=f"interrupted {deliveries} times, last because {result.reason}"
                )
            await self._report(order, "finished", result)
        except SupersededError:
            REPORTED.labels("superseded").inc()
            return Ack()
        except PlatformError as error:
            return DeadLetter(f"the scheduler refuses the report: {error.code}: {error.detail}")
        finally:
            for beside in (underway.report, underway.insisting):
                if beside:
                    beside.cancel()
        REPORTED.labels(result.status).inc()
        SECONDS.observe(result.seconds)
        return Ack()

    async def _result(self, underway: Underway) -> StepResult | Interrupted:
        """What the Ray task says, or why it says nothing."""
        order = underway.order
        underway.task = _ray_start(order)
        try:
            async for reference in underway.task:
                match await reference:
                    case StepStart() as start:
                        underway.started = True
                        underway.report = asyncio.create_task(self._report_started(underway, start))
                    case StepResult() | Interrupted() as result:
                        return result
        except TaskCancelledError:
            return StepResult(status="canceled", reason="canceled before the command started")
        except RayError as error:
            return Interrupted(f"{type(error).__name__}: {str(error)[-1000:]}")
        return Interrupted("the task ended without a result")

    async def _report_started(self, underway: Underway, start: StepStart) -> None:
        try:
            await self._report(underway.order, "started", start)
        except SupersededError:
            self._insist(underway)
            raise

    def _insist(self, underway: Underway) -> None:
        if underway.insisting is None:
            underway.insisting = asyncio.create_task(self._end(underway))

    async def _end(self, underway: Underway) -> None:
        """Ends a step, on whichever node: again and again, since a control message is lost on a task that does not listen yet."""
        order = underway.order
        message = json.dumps({"cancel": order.step_id, "attempt": order.attempt}).encode()
        while True:
            if underway.started:
                with suppress(NatsError):
                    await self._client.publish(CONTROL, message)
            elif underway.task is not None:  # it waits for resources
                _ray_cancel(underway.task)
            await asyncio.sleep(_INSIST_EVERY_S)

    async def _report(self, order: StepOrder, what: str, body: StepStart | StepResult) -> None:
        """Until the scheduler has it: while this goes on the order stays ours. Raises SupersededError, PlatformError when it is refused."""
        path = f"/internal/v1/steps/{order.step_id}/attempts/{order.attempt}/{what}"
        cause = Cause(
            actor="service:runner",
            workspace=order.workspace,
            correlation_id=order.correlation_id,
            causation_id=order.causation_id,
            traceparent=telemetry.traceparent() or order.traceparent,
        )
        for attempt in range(1_000_000):
            try:
                await self._scheduler.request("POST", path, cause=cause, body=body.model_dump(mode="json"))
            except PlatformError as error:
                if error.kind == "conflict":
                    raise SupersededError from error
                if error.kind != "unavailable":
                    raise
                log.warning(
                    "scheduler not reached", extra={"step": order.step_id, "report": what, "error": error.detail}
                )
            else:
                return
            await asyncio.sleep(_REPORT_DELAYS_S[min(attempt, len(_REPORT_DELAYS_S) - 1)])

    @asynccontextmanager
    async def _heartbeats(self, underway: Underway) -> AsyncIterator[None]:
        """Tells NATS every `heartbeat_s` seconds that the order is being worked on."""

        async def beat() -> None:
            while True:
                await asyncio.sleep(self._heartbeat_s)
                with suppress(NatsError):
                    await underway.message.in_progress()

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()

    async def _settle(self, message: Msg, outcome: Outcome) -> None:
        try:
            await settle(message, outcome, durable=self._durable, jetstream=self._client.jetstream())
        except (NatsError, TimeoutError) as error:  # it will be delivered again, and the scheduler will answer 409
            log.warning("order not settled", extra={"outcome": repr(outcome), "error": repr(error)})


def _ray_start(order: StepOrder) -> Any:
    import ray

    task = ray.remote(run_step).options(
        name=f"step {order.step}",
        num_cpus=order.num_cpus,
        num_gpus=order.num_gpus,
        num_returns="streaming",
        max_retries=0,
    )
    return task.remote(order)


def _ray_cancel(task: Any) -> None:
    import ray

    ray.cancel(task, force=False)
