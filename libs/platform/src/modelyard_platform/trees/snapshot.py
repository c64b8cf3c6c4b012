"""Files on disk, read once: their pieces come out as they are read, and in the end the tree that they make."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from modelyard_platform.errors import InvalidError
from modelyard_platform.trees.document import MAX_FILES, PART, Tree, TreeFile


class Snapshot:
    """A file or folder on disk (`paths`: only those files of it). `folder`: what its files lie under in the tree.

    Raises InvalidError when there is nothing at `root`, or a link leads out of it.
    """

    def __init__(self, root: Path, paths: Iterable[Path] | None = None, *, folder: str = "") -> None:
        self._root = root
        self._folder = folder
        self._files: list[TreeFile] = []
        self.paths: Final = sorted(_listed(root, paths))
        """What is read, in this order."""
        if len(self.paths) > MAX_FILES:
            raise InvalidError(f"{root} has {len(self.paths)} files; a tree holds at most {MAX_FILES}")

    def size(self) -> int:
        """Bytes to be read, as far as is known before."""
        return sum(path.stat().st_size for path in self.paths)

    def pieces(self) -> Iterator[tuple[str, bytes]]:
        """Every blob's digest and bytes, at most `PART` bytes each, read one at a time.

        Raises:
            InvalidError: a file changes while it is read, or its name cannot be in a tree.
        """
        self._files = []
        for path in self.paths:
            yield from self._read(path)

    def tree(self) -> Tree:
        """What was read. Raises InvalidError for files that cannot be in one tree."""
        try:
            return Tree(files=tuple(self._files))
        except ValidationError as error:
            raise InvalidError(f"{self._root}: {error.errors()[0]['msg']}") from error

    def _read(self, path: Path) -> Iterator[tuple[str, bytes]]:
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            whole, parts, size = hashlib.sha256(), list[str](), 0
            while size < before.st_size or not parts:  # a file that grows for ever is not followed
                data = _read_up_to(file.fileno(), PART)
                if not data and parts:
                    break
                part = hashlib.sha256(data).hexdigest()
                if before.st_size > PART:  # else it is the one part, hashed already
                    whole.update(data)
                parts.append(part)
                size += len(data)
                yield part, data
            after = os.fstat(file.fileno())
        if (size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InvalidError(f"{path} changed while it was read; try again when nothing writes to it", code="changed")
        digest = parts[0] if len(parts) == 1 else whole.hexdigest()
        self._files.append(self._entry(path, digest, size, parts if len(parts) > 1 else []))

    def _entry(self, path: Path, digest: str, size: int, parts: list[str]) -> TreeFile:
        relative = path.name if path == self._root else path.relative_to(self._root).as_posix()
        name = f"{self._folder}/{relative}" if self._folder else relative
        try:
            return TreeFile(path=name, sha256=digest, size=size, parts=tuple(parts))
        except ValidationError as error:
            raise InvalidError(f"{name[:200]!r} cannot be stored: {error.errors()[0]['msg']}") from error


def describe(root: Path, paths: Iterable[Path] | None = None) -> Tree:
    """The tree of a file or folder, only read. Raises InvalidError."""
    snapshot = Snapshot(root, paths)
    for _ in snapshot.pieces():
        pass
    return snapshot.tree()


def _listed(root: Path, paths: Iterable[Path] | None) -> Iterator[Path]:
    if root.is_file():
        yield root
    elif not root.is_dir():
        raise InvalidError(f"{root} is neither a file nor a folder")
    elif paths is None:
        yield from _walk(root, root, (root.resolve(),))
    else:
        inside = root.resolve()
        yield from (path for path in paths if _leads_inside(path, root, inside).is_file())


def _walk(folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """The files below. A link to a folder stands for what is in it; `above`: the real paths of the folders on the way."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            real = _leads_inside(path, root, above[0]) if entry.is_symlink() else above[-1] / entry.name
            if entry.is_dir():
                if real in above:
                    raise InvalidError(f"{path} is a link to a folder that it lies in; remove it")
                yield from _walk(path, root, (*above, real))
            elif entry.is_file():
                yield path


def _leads_inside(path: Path, root: Path, inside: Path) -> Path:
    """Where a path leads to."""
    real = path.resolve()
    if not real.is_relative_to(inside):
        raise InvalidError(f"{path} is a link that leads out of {root}; copy the file instead")
    if not real.exists():
        raise InvalidError(f"{path} is a link to nothing; remove it")
    return real


def _read_up_to(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    if not data or len(data) == size:
        return data
    read = [data]
    left = size - len(data)
    while left and (more := os.read(descriptor, left)):
        read.append(more)
        left -= len(more)
    return b"".join(read)
