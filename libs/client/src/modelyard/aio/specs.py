"""Specifications and files, for asyncio: read, hashed, sent and fetched in threads, since files have no asynchronous form.

Each call works with a connection of its own, at most four transfers at a time. A call that is cancelled is not waited for, and what
it has begun goes on in its thread: what was sent is by digest and hurts nobody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.aio.http import Http
from modelyard.api import http, specs
from modelyard.api.specs import Prepared, SpecLike

if TYPE_CHECKING:
    from modelyard_platform.manifests import Signed, Verifier
    from modelyard_specs import Document, Group

T = TypeVar("T")


class Specs:
    """Reads specifications and sends their files."""

    def __init__(self, http: Http) -> None:
        self.http = http
        self._trees = Trees(http)

    @property
    def trees(self) -> Trees:
        """Uploads and downloads."""
        return self._trees

    async def upload(self, path: str | os.PathLike[str]) -> str:
        """Store a file or folder and answer its digest. Raises UploadError."""
        return await in_thread(self.http, lambda blocking: blocking.upload(path))

    async def prepare(self, given: SpecLike, group: Group | None, overrides: Sequence[str] = ()) -> Prepared:
        """Read, then `send`."""
        return await in_thread(self.http, lambda blocking: blocking.prepare(given, group, overrides))

    async def send(self, document: Document) -> Prepared:
        """Store a document's files. Nothing is sent unless all of the document can be submitted. Raises SpecError, UploadError."""
        return await in_thread(self.http, lambda blocking: blocking.send(document))


class Trees:
    """Uploads and downloads."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def upload(self, root: Path, *, code: bool = False, keep_folder: bool = False) -> str:
        """Store a file or folder and answer its digest. Raises UploadError."""
        return await in_thread(
            self._http, lambda blocking: blocking.trees.upload(root, code=code, keep_folder=keep_folder)
        )

    async def download(self, files: Iterable[dict[str, Any]], target: Path) -> Path:
        """A tree's files into a folder, verified; what is there already is kept. Raises DownloadError."""
        return await in_thread(self._http, lambda blocking: blocking.trees.download(files, target))

    async def download_signed(self, signed: Signed, size: int, verifier: Verifier, target: Path) -> Path:
        """A registered version's files into a folder, held against the manifest that it was signed with. Raises DownloadError."""
        return await in_thread(
            self._http, lambda blocking: blocking.trees.download_signed(signed, size, verifier, target)
        )


async def in_thread(caller: Http, work: Callable[[specs.Specs], T]) -> T:
    """What `work` gives, done in a thread with a connection of its own."""

    def run() -> T:
        with closing(http.Http(caller.url, caller.token, headers=caller.headers, retry_s=caller.retry_s)) as blocking:
            return work(specs.Specs(blocking))

    return await asyncio.to_thread(run)
