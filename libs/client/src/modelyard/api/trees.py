"""Files in and out: folders as trees, by digest. What the server has is not sent, what is here is not fetched again."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import pathspec
from pydantic import ValidationError

from modelyard.api.http import Http
from modelyard.errors import DownloadError, ModelyardError, UploadError
from modelyard_platform.errors import PlatformError
from modelyard_platform.trees import Tree, TreeFile, describe, digest_file

T = TypeVar("T")
Advance = Callable[[int], None]

_CHUNK: Final = 1 << 20
_PARALLEL: Final = 4
_QUESTION: Final = 1000
_PROGRESS_FROM: Final = 8 << 20
_IGNORE_FILES: Final = (".amlignore", ".gitignore")
_NEVER_CODE: Final = frozenset({".git", "__pycache__"})
"""What changes without the code changing: with these no step could ever be reused."""


class Trees:
    """Uploads and downloads of one client."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def upload(self, root: Path, *, code: bool = False, keep_folder: bool = False) -> str:
        """Store a file or folder and answer its digest. Its document is sent last, so a tree that is there is complete.

        `code`: leave out what `.amlignore`, or else `.gitignore`, of the folder names. `keep_folder`: the folder's own name is the
        tree's top level.

        Raises:
            UploadError: there is nothing to send, a link leads out, or a file changed on the way.
        """
        try:
            tree = describe(root, list(code_files(root)) if code and root.is_dir() else None)
        except PlatformError as error:
            raise UploadError(error.detail) from error
        except OSError as error:
            raise UploadError(f"{root} cannot be read: {error}") from error
        if not tree.files:
            raise UploadError(f"{root} has no files to upload")
        local = {file.sha256: (root if root.is_file() else root / file.path, file.size) for file in tree.files}
        if keep_folder and root.is_dir():
            tree = Tree(files=tuple(f.model_copy(update={"path": f"{root.name}/{f.path}"}) for f in tree.files))
        missing = self._missing([*local, tree.digest])
        to_send = {digest: local[digest] for digest in local if digest in missing}
        with _progress("uploading", sum(size for _, size in to_send.values())) as advance:
            _each(lambda item: self._send(*item, advance), [(d, path, size) for d, (path, size) in to_send.items()])
        if tree.digest in missing:
            document = tree.document()
            self._http.request("PUT", f"blobs/{tree.digest}", content=document)
        return tree.digest

    def download(self, files: Iterable[dict[str, Any]], target: Path) -> Path:
        """A tree's files (`{path, sha256, size}`) into a folder; each is verified before it gets its name, and kept when it is there.

        Raises:
            DownloadError: a path leads out of the folder, or bytes do not have their digest.
        """
        try:
            tree = Tree.model_validate({"files": list(files)})
        except ValidationError as error:
            raise DownloadError(f"the server's list of files cannot be used: {error.errors()[0]['msg']}") from error
        target.mkdir(parents=True, exist_ok=True)
        inside = target.resolve()
        wanted = []
        for file in tree.files:
            path = target / file.path
            if not path.parent.resolve().is_relative_to(inside):
                raise DownloadError(f"{path.parent} is a link that leads out of {target}")
            if path.is_symlink() or not path.is_file() or digest_file(path) != (file.sha256, file.size):
                wanted.append((file, path))
        with _progress("downloading", sum(file.size for file, _ in wanted)) as advance:
            _each(lambda item: self._fetch(*item, advance), wanted)
        return target

    def _missing(self, digests: Sequence[str]) -> set[str]:
        parts = [digests[start : start + _QUESTION] for start in range(0, len(digests), _QUESTION)]
        answers = (self._http.post("blobs/missing", {"digests": part})["missing"] for part in parts)
        return {digest for answer in answers for digest in answer}

    def _send(self, digest: str, path: Path, size: int, advance: Advance) -> None:
        sent = 0

        def chunks() -> Iterator[bytes]:
            nonlocal sent
            advance(-sent)  # of an attempt that broke off
            sent = 0
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
                    sent += len(chunk)
                    advance(len(chunk))

        try:
            self._http.request("PUT", f"blobs/{digest}", content=chunks, headers={"Content-Length": str(size)})
        except ModelyardError as error:
            if error.code == "digest_mismatch" or path.stat().st_size != size:
                raise UploadError(f"{path} changed while it was being uploaded; try again") from error
            raise

    def _fetch(self, file: TreeFile, path: Path, advance: Advance) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".part-{uuid4().hex}")
            try:
                self._http.repeated(lambda: self._receive(file, part, advance))
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise DownloadError(f"{path} cannot be written: {error}") from error

    def _receive(self, file: TreeFile, part: Path, advance: Advance) -> None:
        seen, size = hashlib.sha256(), 0
        try:
            with part.open("wb") as output, self._http.opened(f"blobs/{file.sha256}") as answer:
                for chunk in answer.iter_bytes(_CHUNK):
                    size += len(chunk)
                    seen.update(chunk)
                    output.write(chunk)
                    advance(len(chunk))
        except BaseException:
            advance(-size)
            raise
        if seen.hexdigest() != file.sha256:
            raise DownloadError(f"{file.path} came damaged: its bytes have the digest {seen.hexdigest()}")


def code_files(root: Path) -> Iterator[Path]:
    """The files of a code folder without what its `.amlignore`, or else its `.gitignore`, names."""
    lines = next((path.read_text().splitlines() for name in _IGNORE_FILES if (path := root / name).is_file()), [])
    ignored = pathspec.GitIgnoreSpec.from_lines(lines)
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _NEVER_CODE and not ignored.match_file(f"{(here / name).relative_to(root).as_posix()}/")
        )
        for name in sorted(names):
            path = here / name
            if not ignored.match_file(path.relative_to(root).as_posix()):
                yield path


def _each(work: Callable[[T], None], items: Sequence[T]) -> None:
    """Some at a time; the first that fails ends it."""
    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        for _ in pool.map(work, items):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _progress(what: str, total: int) -> Iterator[Advance]:
    """A bar for people who wait, on the error output; for small amounts and for programs there is none."""
    if total <= _PROGRESS_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda size: progress.advance(task, size)
