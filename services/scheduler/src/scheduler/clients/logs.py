"""The LOGS stream: what steps have written so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

STREAM: Final = "LOGS"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of one step. `sequence` orders the chunks of all steps."""

    sequence: int
    step: str
    attempt: int
    stream: str
    text: str


class LogStream:
    """Reads the stream by position, so that nothing has to be kept on the broker for a reader that goes away."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def next(self, workspace: str, job: str, step: str | None, after: int) -> Chunk | None:
        """The first chunk of a job (or of one step) after a position; None when there is none yet."""
        subject = f"logs.{workspace}.{job}.{step or '*'}"
        try:
            message = await self._jetstream.get_msg(STREAM, after + 1, subject=subject, next=True)
        except NotFoundError:
            return None
        headers = message.headers or {}
        assert message.seq is not None
        assert message.subject is not None
        return Chunk(
            sequence=message.seq,
            step=message.subject.rsplit(".", 1)[-1],
            attempt=int(headers.get("attempt", "1")),
            stream=headers.get("stream", "stdout"),
            text=(message.data or b"").decode(errors="replace"),
        )
