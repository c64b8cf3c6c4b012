"""The runner's view of the WORK stream."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from modelyard_platform.errors import UnavailableError
from modelyard_runtime.runner.dispatch import Dispatcher
from modelyard_runtime.runner.settings import RunnerSettings

log = logging.getLogger(__name__)

STREAM: Final = "WORK"
_FETCH_S: Final = 5.0
_AGAIN_S: Final = 1.0


class Orders:
    """Pulls orders, at most `slots` at once, and gives each to the dispatcher."""

    def __init__(self, client: Client, dispatcher: Dispatcher, settings: RunnerSettings, *, durable: str) -> None:
        self._client = client
        self._dispatcher = dispatcher
        self._settings = settings
        self._durable = durable
        self._free = asyncio.Semaphore(settings.slots)
        self._taken: set[asyncio.Task[None]] = set()
        self._bound = False

    def check(self) -> None:
        """Raises UnavailableError when no orders can come."""
        if not self._client.is_connected:
            raise UnavailableError("NATS is not connected")
        if not self._bound:
            raise UnavailableError(f"there is no consumer {self._durable} on the stream {STREAM}")

    async def take_all(self) -> None:
        """Runs until cancelled. The consumer is made when it is missing, now or later (a stream may be made anew)."""
        try:
            while True:
                try:
                    subscription = await self._bind()
                    await self._take_while_bound(subscription)
                except (NatsError, TimeoutError) as error:
                    log.warning("no orders can be taken", extra={"error": repr(error)})
                self._bound = False
                await asyncio.sleep(_AGAIN_S)
        finally:
            for task in self._taken:
                task.cancel()

    async def _bind(self) -> JetStreamContext.PullSubscription:
        jetstream = self._client.jetstream()
        await jetstream.add_consumer(STREAM, self._config())
        subscription = await jetstream.pull_subscribe_bind(consumer=self._durable, stream=STREAM)
        self._bound = True
        return subscription

    async def _take_while_bound(self, subscription: JetStreamContext.PullSubscription) -> None:
        """Until a pull fails. Every quiet `_FETCH_S` seconds the consumer is looked at: a pull on a missing one says nothing."""
        try:
            while True:
                await self._free.acquire()
                try:
                    [message] = await subscription.fetch(1, timeout=_FETCH_S)
                except BaseException as error:
                    self._free.release()
                    if not isinstance(error, TimeoutError):
                        raise
                    await self._client.jetstream().consumer_info(STREAM, self._durable)
                    continue
                task = asyncio.create_task(self._dispatcher.take(message))
                self._taken.add(task)
                task.add_done_callback(self._done)
        finally:
            if self._client.is_connected:
                await subscription.unsubscribe()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._taken.discard(task)
        self._free.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("order dropped until its next delivery", exc_info=error)

    def _config(self) -> ConsumerConfig:
        return ConsumerConfig(
            durable_name=self._durable,
            filter_subject=f"work.{self._settings.pool}.step",
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._settings.ack_wait_s,
            max_deliver=-1,
            max_ack_pending=self._settings.slots,
        )
