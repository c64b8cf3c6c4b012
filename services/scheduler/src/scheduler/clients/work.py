"""The WORK stream: orders on their way to the runner."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from nats.aio.client import Client as Nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from modelyard_contracts.work import StepOrder

STREAM: Final = "WORK"
POOL: Final = "default"
CONTROL: Final = "work.control"
_TIMEOUT_S: Final = 5.0


class WorkStream:
    """Publishes orders, and knows which of them the runner has not taken off yet."""

    def __init__(self, nats: Nats, jetstream: JetStreamContext) -> None:
        self._nats = nats
        self._jetstream = jetstream

    async def publish(self, order: StepOrder, number: int) -> int:
        """Put an order on the stream; `number` counts the times this step was ordered. Returns its place in the stream."""
        ack = await self._jetstream.publish(
            f"work.{POOL}.step",
            order.model_dump_json(exclude_none=True).encode(),
            timeout=_TIMEOUT_S,
            stream=STREAM,
            headers={"Nats-Msg-Id": f"{order.step_id}-{order.attempt}-{number}"},
        )
        return ack.seq

    async def holds(self, sequence: int, step: UUID) -> bool:
        """Whether the order is still on the stream. It is taken off when the runner's last report was accepted."""
        try:
            message = await self._jetstream.get_msg(STREAM, sequence)
        except NotFoundError:
            return False
        return str((message.headers or {}).get("Nats-Msg-Id", "")).startswith(step.hex)

    async def remove(self, sequence: int) -> None:
        """Take an order off that nobody has begun."""
        try:
            await self._jetstream.delete_msg(STREAM, sequence)
        except NotFoundError:
            return

    async def recall(self, step: UUID) -> None:
        """Tell the runners to stop a step. Heard by those that listen now: said again until the order is gone."""
        await self._nats.publish(CONTROL, f'{{"cancel":"{step.hex}"}}'.encode())
