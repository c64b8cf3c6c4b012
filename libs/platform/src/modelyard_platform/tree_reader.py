"""Reading here and there in a stored tree's files without fetching them whole: a model's header may tell all that is asked."""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Final, cast

from modelyard_platform.trees import PART, Blobs, Piece, Tree, TreeFile

_CHUNK: Final = 1 << 16
_PIECES: Final = 3
"""How many pieces of a file are held at a time: a Parquet file is read at its end and at two columns by turns."""


class TreeReader:
    """A tree's files by path: `sizes` in bytes, and `open`. Every blob that is touched is read and verified whole."""

    def __init__(self, store: Blobs, tree: Tree) -> None:
        self._store = store
        self._files = {file.path: file for file in tree.files}
        self.sizes: Mapping[str, int] = {path: file.size for path, file in self._files.items()}

    def open(self, path: str) -> BinaryIO:
        """One file, to be read at any position. Reading raises NotFoundError, DigestMismatchError, UnavailableError."""
        return cast("BinaryIO", io.BufferedReader(_StoredFile(self._store, self._files[path]), _CHUNK))


class _StoredFile(io.RawIOBase):
    def __init__(self, store: Blobs, file: TreeFile) -> None:
        self._store = store
        self._size = file.size
        self._pieces = file.pieces()
        self._position = 0
        self._held: OrderedDict[Piece, SpooledTemporaryFile[bytes]] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"position {start + offset}")
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position >= self._size:
            return 0
        piece = self._pieces[self._position // PART if len(self._pieces) > 1 else 0]
        content = self._content(piece)
        content.seek(self._position - piece.offset)
        data = content.read(len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        while self._held:
            self._held.popitem()[1].close()
        super().close()

    def _content(self, piece: Piece) -> SpooledTemporaryFile[bytes]:
        """A piece, fetched and verified; the least lately read one makes room for it."""
        if piece not in self._held:
            while len(self._held) >= _PIECES:
                self._held.popitem(last=False)[1].close()
            content = SpooledTemporaryFile(max_size=PART)  # noqa: SIM115 closed with this file; a blob may be larger than a part
            try:
                self._store.expect([piece.sha256])
                for chunk in self._store.chunks(piece.sha256):
                    content.write(chunk)
            except BaseException:
                content.close()
                raise
            self._held[piece] = content
        self._held.move_to_end(piece)
        return self._held[piece]
