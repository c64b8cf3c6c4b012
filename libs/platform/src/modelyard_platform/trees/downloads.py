"""From where blobs are kept to disk: verified, some at a time, and continued where it broke off."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from modelyard_platform.errors import InvalidError
from modelyard_platform.trees.blobs import Blobs, DigestMismatchError
from modelyard_platform.trees.document import Piece, Tree, TreeFile, parse

T = TypeVar("T")

_PARALLEL: Final = 8
_BATCH: Final = 250
_CHUNK: Final = 1 << 20
_MAX_DOCUMENT: Final = 128 << 20


def digest_file(path: Path) -> tuple[str, int]:
    """A file's sha256 and size, read once in constant memory."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()


def load(store: Blobs, digest: str) -> Tree:
    """A stored tree. Raises NotFoundError, DigestMismatchError, InvalidError."""
    document = bytearray()
    store.expect([digest])
    for chunk in store.chunks(digest):
        document += chunk
        if len(document) > _MAX_DOCUMENT:
            raise InvalidError(f"blob {digest} is no tree: it is larger than {_MAX_DOCUMENT} bytes")
    return parse(bytes(document))


def chunks(store: Blobs, file: TreeFile) -> Iterator[bytes]:
    """A file's bytes from its beginning to its end. Raises DigestMismatchError, at the latest after the last of them."""
    whole = hashlib.sha256()
    store.expect([piece.sha256 for piece in file.pieces()])
    for piece in file.pieces():
        for chunk in store.chunks(piece.sha256):
            whole.update(chunk)
            yield chunk
    _require(file, whole.hexdigest())


def fetch(store: Blobs, file: TreeFile, target: Path) -> Path:
    """One file of a tree to `target`, verified before it gets that name. What an earlier attempt fetched of it is kept."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        store.expect([piece.sha256 for piece in file.pieces()])
        _fetch(store, file, target, lambda work, items: _each(pool, work, items), lambda _: None)
    return target


def download(store: Blobs, tree: Tree, target: Path, *, kept: Callable[[int], None] = lambda _: None) -> Path:
    """A tree's files into a folder (made when missing), every one verified by its digest.

    Files that are there as they should be are kept. A large file that broke off stays as `.part-…` beside its place, and only its
    missing parts are fetched the next time. Two may download into the same folder at once: both write the same bytes. `kept` is told how
    many bytes need not be fetched, file by file.

    Raises:
        InvalidError: a link leads out of the folder.
        DigestMismatchError: bytes are not the promised ones; nothing of that file is kept.
    """
    target.mkdir(parents=True, exist_ok=True)
    inside = target.resolve()

    def wanted(file: TreeFile) -> bool:
        path = target / file.path
        if not path.parent.resolve().is_relative_to(inside):
            raise InvalidError(f"{path.parent} is a link that leads out of {target}")
        if path.is_symlink() or not path.is_file() or digest_file(path) != (file.sha256, file.size):
            return True
        kept(file.size)
        return False

    with ThreadPoolExecutor(_PARALLEL) as pool:
        one_by_one = [file for file in tree.files if len(file.parts) > 1]
        for start in range(0, len(tree.files), _BATCH):
            batch = [file for file in tree.files[start : start + _BATCH] if not file.parts]
            needed = [file for file, needs in zip(batch, pool.map(wanted, batch), strict=True) if needs]
            store.expect({file.sha256 for file in needed})
            _each(pool, lambda file: _fetch(store, file, target / file.path, _in_turn, kept), needed)
        for file in one_by_one:  # its parts are fetched some at a time
            if wanted(file):
                store.expect(file.parts)
                _fetch(store, file, target / file.path, lambda work, items: _each(pool, work, items), kept)
    return target


def materialise(store: Blobs, digest: str, cache: Path) -> Path:
    """A tree in a node's cache, `cache/<digest>`: downloaded once, complete or not there. Read it, never write in it."""
    final = cache / digest
    if final.is_dir():
        return final
    cache.mkdir(parents=True, exist_ok=True)
    part = cache / f".part-{uuid4().hex}"
    try:
        download(store, load(store, digest), part)
        try:
            part.rename(final)
        except OSError:
            if not final.is_dir():  # another process was faster: its copy is as good
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return final


Each = Callable[[Callable[[Piece], None], Sequence[Piece]], None]


def _fetch(store: Blobs, file: TreeFile, target: Path, each: Each, kept: Callable[[int], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(f"{target.name}\0{file.sha256}".encode()).hexdigest()
    part = target.with_name(f".part-{name[:32]}")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        pieces = file.pieces()
        if os.fstat(descriptor).st_size:
            pieces = tuple(piece for piece in pieces if not _holds(descriptor, piece))
            kept(file.size - sum(piece.size for piece in pieces))
        os.ftruncate(descriptor, file.size)
        each(lambda piece: _write(store, piece, descriptor), pieces)
        if file.parts:
            _require(file, digest_file(part)[0])
    except BaseException as error:
        if not file.parts or isinstance(error, DigestMismatchError):
            part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    part.replace(target)


def _write(store: Blobs, piece: Piece, descriptor: int) -> None:
    at = piece.offset
    for chunk in store.chunks(piece.sha256):
        if at + len(chunk) > piece.offset + piece.size:
            raise DigestMismatchError(f"blob {piece.sha256} has more than the {piece.size} bytes that its tree says")
        written = 0
        while written < len(chunk):
            written += os.pwrite(descriptor, chunk[written:], at + written)
        at += len(chunk)
    if at != piece.offset + piece.size:
        raise DigestMismatchError(f"blob {piece.sha256} has fewer than the {piece.size} bytes that its tree says")


def _holds(descriptor: int, piece: Piece) -> bool:
    """Whether these bytes of the file are the piece's already."""
    seen = hashlib.sha256()
    at, end = piece.offset, piece.offset + piece.size
    while chunk := os.pread(descriptor, min(_CHUNK, end - at), at) if at < end else b"":
        seen.update(chunk)
        at += len(chunk)
    return at == end and seen.hexdigest() == piece.sha256


def _require(file: TreeFile, digest: str) -> None:
    if digest != file.sha256:
        raise DigestMismatchError(f"{file.path} is not what its tree says: its bytes have the digest {digest}")


def _in_turn(work: Callable[[T], None], items: Iterable[T]) -> None:
    for item in items:
        work(item)


def _each(pool: ThreadPoolExecutor, work: Callable[[T], None], items: Sequence[T]) -> None:
    """Some at a time. The first that fails ends it: what has not begun then does not begin, and on return nothing runs."""
    running = [pool.submit(work, item) for item in items]
    try:
        for one in running:
            one.result()
    finally:
        for one in running:
            one.cancel()
        wait(running)
