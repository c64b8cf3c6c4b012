"""From disk to where blobs are kept: asked for in batches, sent some at a time, in constant memory."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from modelyard_platform.trees.blobs import Blobs
from modelyard_platform.trees.document import PART, Tree
from modelyard_platform.trees.snapshot import Snapshot

_PARALLEL: Final = 8
_BATCH: Final = 250
_BATCH_BYTES: Final = 2 * PART
_WAITING_BYTES: Final = 4 * PART


def upload(store: Blobs, root: Path, paths: list[Path] | None = None) -> Tree:
    """Store a file or folder (`paths`: only those files of it). Raises InvalidError for what cannot be stored."""
    return send(store, Snapshot(root, paths))


def send(store: Blobs, snapshot: Snapshot) -> Tree:
    """Store what is read. Blobs that are there are not sent again, so an upload that broke off continues where it stopped.

    The tree's document is written last: a tree that is there is complete. The next blobs are read and hashed while others are on
    their way; at most about 100 MiB are in memory.
    """
    seen = set[str]()
    sending = deque[tuple[Future[None], int]]()
    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        for batch in _batches(snapshot.pieces(), seen):
            missing = store.missing({digest: len(data) for digest, data in batch.items()})
            sending.extend((pool.submit(store.put, one, batch[one]), len(batch[one])) for one in missing)
            del batch
            _wait(sending, _WAITING_BYTES)
        _wait(sending, 0)
    finally:
        pool.shutdown(cancel_futures=True)
    tree = snapshot.tree()
    document = tree.document()
    digest = hashlib.sha256(document).hexdigest()
    if store.missing({digest: len(document)}):
        store.put(digest, document)
    return tree


def _batches(pieces: Iterable[tuple[str, bytes]], seen: set[str]) -> Iterator[dict[str, bytes]]:
    batch: dict[str, bytes] = {}
    size = 0
    for digest, data in pieces:
        if digest in seen:
            continue
        seen.add(digest)
        batch[digest] = data
        size += len(data)
        if len(batch) == _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = {}, 0
    if batch:
        yield batch


def _wait(sending: deque[tuple[Future[None], int]], most: int) -> None:
    """Until no more than so many bytes are on their way."""
    on_their_way = sum(size for _, size in sending)
    while sending and (on_their_way > most or not most):
        done, size = sending.popleft()
        done.result()
        on_their_way -= size
