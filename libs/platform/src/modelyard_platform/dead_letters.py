"""Dead letters: messages that will not succeed as they are. They can be seen and, once the cause is mended, replayed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError as MissingError

from modelyard_platform.errors import NotFoundError

STREAM: Final = "DEAD"


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """One dead letter. `sequence` names it."""

    sequence: int
    consumer: str
    subject: str
    reason: str
    deliveries: int
    at: str
    body: str


async def read(jetstream: JetStreamContext, sequence: int) -> Letter:
    """One letter. Raises NotFoundError."""
    try:
        message = await jetstream.get_msg(STREAM, sequence)
    except MissingError as error:
        raise NotFoundError(f"there is no dead letter {sequence}") from error
    headers = message.headers or {}
    return Letter(
        sequence=sequence,
        consumer=headers.get("dead-consumer", ""),
        subject=headers.get("dead-subject", ""),
        reason=headers.get("dead-reason", ""),
        deliveries=int(headers.get("dead-deliveries", "0")),
        at=headers.get("dead-at", ""),
        body=(message.data or b"").decode(errors="replace"),
    )


async def newest(jetstream: JetStreamContext, limit: int = 100) -> list[Letter]:
    """The newest letters, newest first."""
    state = (await jetstream.stream_info(STREAM)).state
    letters: list[Letter] = []
    sequence = state.last_seq
    while sequence >= max(state.first_seq, 1) and len(letters) < limit:
        with suppress(NotFoundError):  # replayed or deleted: a gap in the numbers
            letters.append(await read(jetstream, sequence))
        sequence -= 1
    return letters


async def replay(jetstream: JetStreamContext, sequence: int) -> Letter:
    """Publish a letter where it came from and take it off the dead letters. Consumers that handled it before pass over it.

    It gets a new `Nats-Msg-Id`, else JetStream would drop it as the copy it is.
    """
    letter = await read(jetstream, sequence)
    await jetstream.publish(
        letter.subject, letter.body.encode(), timeout=5, headers={"Nats-Msg-Id": f"replay-{uuid4()}"}
    )
    await jetstream.delete_msg(STREAM, sequence)
    return letter
