"""What a replica does with a request's body, whatever protocol brought it: decode, run, encode, keep a sample.

A small body runs on the caller's thread (the listener's loop): the model takes microseconds, a hand-over to another
thread would cost more. A large body, or any body when the warm-up has shown the model to be slow, runs on a pool
thread, so that health checks and other requests go on being answered.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, Protocol

from modelyard_platform.errors import InvalidError
from modelyard_runtime.replica import oip
from modelyard_runtime.replica.codec import TableDecoder, encode_predictions, example
from modelyard_runtime.replica.onnx_model import Feed, OnnxModel, Outputs

INLINE_BODY_BYTES: Final = 32 * 1024
INLINE_RUN_S: Final = 0.003


class Sink(Protocol):
    """Where scored rows go. Must not block and must not raise."""

    def offer(self, request_id: bytes, feed: Feed, outputs: Outputs, rows: int) -> None: ...


class DeadlineExceededError(Exception):
    """The request's time limit ran out before the model answered."""


class DataPlane:
    """Scores with an ONNX model.

    `timeout_s` bounds what runs on a pool thread; the thread itself cannot be interrupted and finishes in the
    background.
    """

    sink: Sink | None = None
    """Set once the warm-up has passed: its row is nobody's."""

    def __init__(self, model: OnnxModel, *, name: str, version: str, timeout_s: float, threads: int) -> None:
        self._model = model
        self._name = name
        self._version = version
        self._timeout_s = timeout_s
        self._decoder = TableDecoder(model.signature)
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="score")
        self._inline_bytes = INLINE_BODY_BYTES

    def calibrate(self) -> float:
        """Runs the model on one row of zeros, twice, and decides whether it is quick enough for the loop. Returns the
        seconds of the second run.

        A model may refuse that row (an encoder that knows no such category): that it answers is enough.
        """
        feed = self._model.example()
        taken = 0.0
        for _ in range(2):
            started = time.perf_counter()
            with suppress(InvalidError):
                self._model.run(feed)
            taken = time.perf_counter() - started
        self._inline_bytes = INLINE_BODY_BYTES if taken <= INLINE_RUN_S else -1
        return taken

    def score(self, body: bytes, request_id: bytes) -> bytes | Coroutine[Any, Any, bytes]:
        """A `/score` body to a list of predictions. Raises InvalidError; awaited, also DeadlineExceededError."""
        if len(body) <= self._inline_bytes:
            return self._keep(request_id, *self._score(body))
        return self._pooled(self._score, body, request_id)

    def infer(self, body: bytes, request_id: bytes) -> bytes | Coroutine[Any, Any, bytes]:
        """A V2 request to a V2 response. Raises InvalidError; awaited, also DeadlineExceededError."""
        if len(body) <= self._inline_bytes:
            return self._keep(request_id, *self._infer(body))
        return self._pooled(self._infer, body, request_id)

    def example(self) -> tuple[str, bytes]:
        """A path and a body with one row of zeros, for the warm-up."""
        feed = self._model.example()
        if self._model.signature.layout == "tensors":
            return f"/v2/models/{self._name}/infer", oip.example(self._model.signature, feed)
        return "/score", example(self._model.signature, feed)

    def metadata(self) -> bytes:
        return oip.metadata(self._name, self._version, self._model.signature)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _score(self, body: bytes) -> tuple[bytes, Feed, Outputs, int]:
        feed, rows = self._decoder.decode(body)
        outputs = self._model.run(feed)
        return encode_predictions(outputs), feed, outputs, rows

    def _infer(self, body: bytes) -> tuple[bytes, Feed, Outputs, int]:
        request = oip.V2Request(body, self._model.signature)
        outputs = self._model.run(request.feed)
        return (
            oip.encode_response(self._name, self._version, request, self._model.signature, outputs),
            request.feed,
            outputs,
            request.rows,
        )

    def _keep(self, request_id: bytes, answer: bytes, feed: Feed, outputs: Outputs, rows: int) -> bytes:
        if self.sink is not None:
            self.sink.offer(request_id, feed, outputs, rows)
        return answer

    async def _pooled(
        self, work: Callable[[bytes], tuple[bytes, Feed, Outputs, int]], body: bytes, request_id: bytes
    ) -> bytes:
        try:
            async with asyncio.timeout(self._timeout_s):
                done = await asyncio.get_running_loop().run_in_executor(self._pool, work, body)
        except TimeoutError:
            raise DeadlineExceededError from None
        return self._keep(request_id, *done)
