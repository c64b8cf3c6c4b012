"""Scored rows into windows: each batch once, as a sketch, far from the request that scored them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

import pyarrow as pa
import pyarrow.compute as pc
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from prometheus_client import Counter

from drift_monitor import store
from drift_monitor.domain import Batch, Monitor, Plan
from modelyard_platform import inbox
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import InvalidError
from modelyard_platform.subscribers import Ack, outcome_of, settle
from modelyard_profiles import ProfileError, TableProfile

log = logging.getLogger(__name__)

DURABLE: Final = "drift-monitor-rows"
STREAM: Final = "INFERENCE"
ROWS: Final = Counter("modelyard_drift_rows_total", "Scored rows taken into windows", ("endpoint", "deployment"))
_FETCH: Final = 32
_WAIT_S: Final = 2.0
_AGAIN_S: Final = 1.0


async def work(pool: Pool, jetstream: JetStreamContext) -> None:
    """Take batches until cancelled. The consumer is made anew whenever it is gone."""
    while True:
        try:
            subscription = await jetstream.pull_subscribe(
                "inference.>",
                durable=DURABLE,
                stream=STREAM,
                config=ConsumerConfig(
                    ack_policy=AckPolicy.EXPLICIT, ack_wait=60, max_deliver=-1, deliver_policy=DeliverPolicy.ALL
                ),
            )
            try:
                while True:
                    await _take_next(pool, jetstream, subscription)
            finally:
                # nats-py does not count what `fetch` passed over as done: draining the connection would wait for it in vain.
                with suppress(NatsError):
                    await subscription.unsubscribe()
        except (NatsError, OSError) as error:
            log.warning("scored rows wait", extra={"error": repr(error)})
            await asyncio.sleep(_AGAIN_S)


async def _take_next(pool: Pool, jetstream: JetStreamContext, subscription: JetStreamContext.PullSubscription) -> None:
    try:
        messages = await subscription.fetch(_FETCH, timeout=_WAIT_S)
    except TimeoutError:
        await jetstream.consumer_info(STREAM, DURABLE)  # raises when it is gone: a pull alone would stay silent
        return
    for message in messages:
        await _take(pool, jetstream, message)


async def _take(pool: Pool, jetstream: JetStreamContext, message: Msg) -> None:
    try:
        await keep_rows(pool, message.subject, dict(message.headers or {}), message.data)
        await settle(message, Ack(), durable=DURABLE, jetstream=jetstream)
    except Exception as error:  # noqa: BLE001 - every failure has an outcome
        outcome = outcome_of(error, message.metadata.num_delivered)
        log.warning("scored rows not taken", extra={"error": repr(error), "outcome": repr(outcome)})
        await settle(message, outcome, durable=DURABLE, jetstream=jetstream)


async def keep_rows(pool: Pool, subject: str, headers: dict[str, str], data: bytes) -> None:
    """One batch into the open window of every monitor of its deployment. Raises InvalidError for one that is no batch."""
    parts = subject.split(".")
    if len(parts) != 4:
        raise InvalidError(f"{subject} is not inference.<workspace>.<endpoint>.<deployment>")
    _, workspace, endpoint, deployment = parts
    async with transaction(pool) as tx:
        if not await store.monitors_of(tx, workspace, endpoint, deployment):
            return  # nobody watches: the rows are not even read
    batch = await asyncio.to_thread(read_batch, data, headers.get("model"))
    message_id = uuid5(NAMESPACE_URL, headers.get("Nats-Msg-Id") or f"{subject} {hashlib.sha256(data).hexdigest()}")
    async with transaction(pool) as tx:
        if not await inbox.first_time(tx, DURABLE, UUID(bytes=message_id.bytes)):
            return
        for monitor in await store.monitors_of(tx, workspace, endpoint, deployment):
            await _grow(tx, monitor, batch)
    ROWS.labels(endpoint, deployment).inc(batch.profile.rows)


def read_batch(data: bytes, model: str | None) -> Batch:
    """An Arrow IPC stream of scored rows as a sketch of its features; columns that begin with `__` are about the request."""
    try:
        with pa.ipc.open_stream(data) as reader:
            table = reader.read_all()
        times: Any = pc.min_max(table.column("__time")).as_py()
        profile = TableProfile()
        for part in table.drop_columns([name for name in table.column_names if name.startswith("__")]).to_batches():
            profile.update(part)
    except (pa.ArrowInvalid, KeyError, ProfileError) as error:
        raise InvalidError(f"not a batch of scored rows: {error}") from error
    now = datetime.now(UTC)
    return Batch(profile=profile, model=model, first_row=times["min"] or now, last_row=times["max"] or now)


async def _grow(tx: Connection, monitor: Monitor, batch: Batch) -> None:
    window = await store.get_open_window(tx, monitor)
    if window is None:
        closed = batch.profile.rows >= monitor.plan.window_rows
        await store.insert_window(tx, monitor, batch, batch.profile.to_bytes(), closed=closed)
        return
    profile = TableProfile.from_bytes(window.profile)
    try:
        profile.merge(batch.profile)
    except ProfileError as error:
        raise InvalidError(f"the batch does not fit the rows before it: {error}") from error
    await store.grow_window(
        tx, window, batch, profile.to_bytes(), profile.rows, closed=_full(monitor.plan, profile.rows)
    )


def _full(plan: Plan, rows: int) -> bool:
    return rows >= plan.window_rows
