"""How fast files go in, beside what the S3 SDK alone reaches to the same server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from minio import Minio

from modelyard import Client
from modelyard.stack import parts
from tests.benchmarks.bench import Bench, tell
from tests.benchmarks.rows import Row, at_most, times_the_peer

NAMES: Final = ("upload_vs_sdk",)

_GOAL: Final = 0.7
_SMALL_S: Final = 5.0
_BYTES: Final = 1 << 30
_SMALL_FILES: Final = 1200
_ROUNDS: Final = 3
_BLOCK: Final = 1 << 20


def rows(bench: Bench) -> Sequence[Row]:
    """1 GiB of random bytes, registered as data by the SDK and put by `minio`'s `fput_object`, in turn; then many small files."""
    stack = bench.stack()
    folder = bench.folder("uploads")
    large, small = folder / "large", folder / "small"
    _make(large)
    with Client(stack.url, stack.token) as client:

        def ours() -> None:
            client.data.create({"name": "benchmark-large", "path": str(large)})

        s3 = Minio(urlsplit(parts.s3_url(stack.layout)).netloc, "modelyard", stack.layout.secret("s3"), secure=False)

        def sdk() -> None:
            s3.fput_object(parts.S3_BUCKET, "benchmark", str(large))

        rates: dict[Callable[[], None], list[float]] = {sdk: [], ours: []}
        for number in range(_ROUNDS):
            for send, found in rates.items():
                _change(large)
                found.append(_BYTES / _seconds(send) / 1e6)
            s3.remove_object(parts.S3_BUCKET, "benchmark")
            tell(f"round {number + 1}: minio {rates[sdk][-1]:.0f} MB/s, modelyard {rates[ours][-1]:.0f} MB/s")
        many_s = _many(client, small)
    return [
        times_the_peer(
            _GOAL,
            "upload_vs_sdk",
            median(rates[ours]),
            "MB/s",
            peer="minio fput_object",
            peer_value=median(rates[sdk]),
        ),
        at_most(_SMALL_S, "upload_1200_files_s", many_s, "s"),
    ]


def _many(client: Client, folder: Path) -> float:
    tell(f"{_SMALL_FILES} small files")
    folder.mkdir()
    for number in range(_SMALL_FILES):
        (folder / f"{number}.txt").write_text(f"{number} {time.time_ns()}")
    return _seconds(lambda: client.data.create({"name": "benchmark-small", "path": str(folder)}))


def _make(file: Path) -> None:
    tell("making 1 GiB of random bytes")
    with file.open("wb") as output:
        for _ in range(_BYTES // _BLOCK):
            output.write(os.urandom(_BLOCK))


def _change(file: Path) -> None:
    """A little in every block: nothing of it is stored already."""
    with file.open("r+b") as output:
        for at in range(0, _BYTES, _BLOCK):
            output.seek(at)
            output.write(os.urandom(16))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
