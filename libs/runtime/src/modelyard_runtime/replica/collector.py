"""Keeps a sample of scored rows and ships it in Arrow batches.

On the request's path nothing happens but an append of references to arrays that exist anyway. Columns are made and
bytes written on the link's thread, in small batches, so that the interpreter lock is never held for long. What does
not fit into the ring is dropped and counted; nothing ever blocks.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import chain, repeat
from random import random
from typing import Any, Final

import numpy as np

from modelyard_runtime.replica.onnx_model import Feed, Outputs
from modelyard_runtime.replica.signature import Signature

BATCH_ROWS: Final = 2048

Entry = tuple[bytes, int, Feed, Outputs, int]
"""Request id, time in ns since the epoch, inputs, outputs, rows."""


class Collector:
    """A bounded ring of scored requests. `offer` is called by one thread, `take` by another."""

    def __init__(self, *, sampling_rate: float, capacity_rows: int) -> None:
        self._rate = sampling_rate
        self._capacity = capacity_rows
        self._ring: deque[Entry] = deque()
        self._offered = 0  # rows put in; written by the offering thread only
        self._taken = 0  # rows taken out; written by the taking thread only
        self.dropped = 0
        self.lost = 0  # rows that were taken but could not be shipped

    @property
    def collected(self) -> int:
        """Rows kept since the start."""
        return self._offered

    def offer(self, request_id: bytes, feed: Feed, outputs: Outputs, rows: int) -> None:
        """Keeps the rows if the sample wants them and there is room."""
        if self._rate < 1.0 and random() >= self._rate:  # noqa: S311 a sample, not a secret
            return
        if self._offered - self._taken + rows > self._capacity:
            self.dropped += rows
            return
        self._offered += rows
        self._ring.append((request_id, time.time_ns(), feed, outputs, rows))

    def take(self, rows: int = BATCH_ROWS) -> list[Entry]:
        """Takes out the oldest requests, about `rows` rows in all."""
        taken: list[Entry] = []
        count = 0
        while self._ring and count < rows:
            entry = self._ring.popleft()
            taken.append(entry)
            count += entry[4]
        self._taken += count
        return taken


def halves(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The entries in two parts; a single one is split by its rows."""
    if len(entries) > 1:
        return entries[: len(entries) // 2], entries[len(entries) // 2 :]
    request_id, at, feed, outputs, rows = entries[0]
    cut = rows // 2
    first = (
        request_id,
        at,
        {name: array[:cut] for name, array in feed.items()},
        [array[:cut] for array in outputs],
        cut,
    )
    second = (
        request_id,
        at,
        {name: array[cut:] for name, array in feed.items()},
        [array[cut:] for array in outputs],
        rows - cut,
    )
    return [first], [second]


def arrow_batch(entries: list[Entry], signature: Signature) -> bytes:
    """An Arrow IPC stream of the rows: features, predictions, `__request_id`, `__time`.

    Predictions are `prediction` for a model's only output and `prediction.<output>` for one of several; an output [N,
    K] with K > 1 becomes K columns, with `.0`, `.1`, … appended. Inputs that are no table are left out.
    """
    import pyarrow as pa

    columns: dict[str, Any] = {}
    if signature.layout == "matrix":
        matrix = _joined([entry[2][signature.inputs[0].name] for entry in entries])
        columns |= {name: _column(matrix[:, i], pa) for i, name in enumerate(signature.features)}
    elif signature.layout == "columns":
        for name in signature.features:
            columns[name] = _column(_joined([entry[2][name] for entry in entries]).reshape(-1), pa)
    for position, output in enumerate(signature.outputs):
        values = _joined([entry[3][position] for entry in entries])
        name = "prediction" if len(signature.outputs) == 1 else f"prediction.{output.name}"
        flat = values.reshape(len(values), -1)
        if flat.shape[1] == 1:
            columns[name] = _column(flat[:, 0], pa)
        else:
            columns |= {f"{name}.{k}": _column(flat[:, k], pa) for k in range(flat.shape[1])}
    counts = [entry[4] for entry in entries]
    ids = chain.from_iterable(repeat(entry[0].decode("ascii", "replace"), entry[4]) for entry in entries)
    columns["__request_id"] = pa.array(list(ids), pa.string())
    times = np.repeat(np.array([entry[1] // 1000 for entry in entries], dtype=np.int64), counts)
    columns["__time"] = pa.array(times).cast(pa.timestamp("us", "UTC"))
    batch = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def _joined(arrays: list[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _column(values: np.ndarray[Any, Any], pa: Any) -> Any:
    return (
        pa.array(values.tolist(), pa.string()) if values.dtype.kind == "O" else pa.array(np.ascontiguousarray(values))
    )
