"""Files in and out: folders as trees, by digest. What the server has is not sent, what is here is not fetched again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import pathspec
from pydantic import ValidationError

from modelyard.api.blobs import Advance, RemoteBlobs
from modelyard.api.http import Http
from modelyard.errors import DownloadError, ModelyardError, UploadError
from modelyard_platform import manifests
from modelyard_platform.errors import NotFoundError, PlatformError
from modelyard_platform.manifests import IntegrityError, Signed, Verifier
from modelyard_platform.trees import DigestMismatchError, Snapshot, Tree, download, send

_PROGRESS_FROM: Final = 8 << 20
_IGNORE_FILES: Final = (".amlignore", ".gitignore")
_NEVER_CODE: Final = frozenset({".git", "__pycache__"})
"""What changes without the code changing: with these no step could ever be reused."""


class Trees:
    """Uploads and downloads of one client."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def upload(self, root: Path, *, code: bool = False, keep_folder: bool = False) -> str:
        """Store a file or folder and answer its digest. One that broke off continues where it stopped.

        `code`: leave out what `.amlignore`, or else `.gitignore`, of the folder names. `keep_folder`: the folder's own name is the
        tree's top level.

        Raises:
            UploadError: there is nothing to send, a link leads out, or a file changes on the way.
            ModelyardError: it was refused, or the server was away for too long.
        """
        try:
            paths = code_files(root) if code and root.is_dir() else None
            snapshot = Snapshot(root, paths, folder=root.name if keep_folder and root.is_dir() else "")
            if not snapshot.paths:
                raise UploadError(f"{root} has no files to upload")
            with (
                _progress(f"uploading {root.name}", snapshot.size()) as advance,
                RemoteBlobs(self._http, advance) as blobs,
            ):
                return send(blobs, snapshot).digest
        except PlatformError as error:
            raise UploadError(error.detail) from error
        except OSError as error:
            raise UploadError(f"{root} cannot be read: {error}") from error

    def download(self, files: Iterable[dict[str, Any]], target: Path) -> Path:
        """A tree's files (`{path, sha256, size, parts}`) into a folder; each is verified before it gets its name.

        Files that are there already are kept, and what an earlier attempt has fetched of a large one.

        Raises:
            DownloadError: a path leads out of the folder, or bytes do not have their digest.
            ModelyardError: a file is not there, or the server was away for too long.
        """
        try:
            tree = Tree.model_validate({"files": list(files)})
        except ValidationError as error:
            raise DownloadError(f"the server's list of files cannot be used: {error.errors()[0]['msg']}") from error
        with self._downloading(tree.size, target) as (blobs, advance):
            return download(blobs, tree, target, kept=advance)

    def download_signed(self, signed: Signed, size: int, verifier: Verifier, target: Path) -> Path:
        """A registered version's files (`size` bytes) into a folder, held against the manifest that it was signed with.

        Raises:
            DownloadError: they are not what was signed, or cannot be written.
            ModelyardError: a file is not there, or the server was away for too long.
        """
        with self._downloading(size, target) as (blobs, advance):
            manifests.download(blobs, signed, verifier, target, kept=advance)
        return target

    @contextmanager
    def _downloading(self, size: int, target: Path) -> Iterator[tuple[RemoteBlobs, Advance]]:
        try:
            with _progress("downloading", size) as advance, RemoteBlobs(self._http, advance) as blobs:
                yield blobs, advance
        except NotFoundError as error:
            raise ModelyardError(error.detail, code=error.code, status=HTTPStatus.NOT_FOUND) from error
        except (IntegrityError, DigestMismatchError) as error:
            raise DownloadError(error.detail, code=error.code) from error
        except PlatformError as error:
            raise DownloadError(error.detail) from error
        except OSError as error:
            raise DownloadError(f"{error.filename or target} cannot be written: {error.strerror}") from error


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


@contextmanager
def _progress(what: str, total: int) -> Iterator[Advance]:
    """A bar for people who wait, on the error output; for small amounts and for programs there is none."""
    if total <= _PROGRESS_FROM or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    said = TextColumn("{task.description}")
    columns = (said, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(what), total=total)
        yield lambda size: progress.advance(task, size)
