"""Trees: folders by digest. A tree lists its files with their digests; its own digest names all of it.

Everything with files is one: code snapshots, data, models, step outputs. This module is the only code that reads and writes them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from modelyard_platform.errors import InvalidError
from modelyard_platform.objects import CHUNK, ObjectStore

SCHEME: Final = "modelyard://trees/"
"""What a local path has become in a spec that has left the client: this, and the tree's digest."""

MAX_FILES: Final = 200_000
_PARALLEL: Final = 8


class TreeFile(BaseModel):
    """One file of a tree. `path` is relative, with forward slashes, and stays inside the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=1024)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or "\\" in path or "\0" in path or ".." in parts or path != "/".join(parts):
            raise ValueError(
                f"{path!r} is not a plain relative path inside the tree (no leading slash, no .., no backslash)"
            )
        return path


class Tree(BaseModel):
    """A folder's files, sorted by path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[TreeFile, ...] = Field(max_length=MAX_FILES)

    @field_validator("files")
    @classmethod
    def _sorted_and_distinct(cls, files: tuple[TreeFile, ...]) -> tuple[TreeFile, ...]:
        ordered = tuple(sorted(files, key=lambda file: file.path))
        paths = [file.path for file in ordered]
        folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
        if len(set(paths)) != len(paths) or folders & set(paths):
            raise ValueError("a path occurs twice, or is both a file and a folder")
        return ordered

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)

    def document(self) -> bytes:
        """The canonical JSON form; its sha256 is the tree's digest."""
        files = [file.model_dump() for file in self.files]
        return json.dumps({"files": files}, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()

    @property
    def digest(self) -> str:
        """The tree's name."""
        return hashlib.sha256(self.document()).hexdigest()

    def below(self, folder: str) -> Tree:
        """The part of the tree under `folder`, with paths relative to it; a file's own path gives that one file. Raises InvalidError."""
        wanted = folder.strip("/")
        if wanted in ("", "."):
            return self
        inside = [
            file.model_copy(
                update={
                    "path": file.path.removeprefix(f"{wanted}/") if file.path != wanted else PurePosixPath(wanted).name
                }
            )
            for file in self.files
            if file.path == wanted or file.path.startswith(f"{wanted}/")
        ]
        if not inside:
            raise InvalidError(
                f"the tree has nothing at {wanted!r}; it has {', '.join(file.path for file in self.files[:10])}"
            )
        return Tree(files=tuple(inside))


def digest_file(path: Path) -> tuple[str, int]:
    """A file's sha256 and size, read once in constant memory."""
    seen, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            seen.update(chunk)
            size += len(chunk)
    return seen.hexdigest(), size


def describe(root: Path, paths: list[Path] | None = None) -> Tree:
    """The tree of a file or folder on disk (`paths`: only those files). Links that lead out of the folder are refused with InvalidError."""
    if root.is_file():
        digest, size = digest_file(root)
        return Tree(files=(TreeFile(path=root.name, sha256=digest, size=size),))
    if not root.is_dir():
        raise InvalidError(f"{root} is neither a file nor a folder")
    inside = root.resolve()
    files = []
    for path in sorted(paths if paths is not None else root.rglob("*")):
        if not path.resolve().is_relative_to(inside):
            raise InvalidError(f"{path} is a link that leads out of {root}; copy the file instead")
        if path.is_file():
            digest, size = digest_file(path)
            files.append(TreeFile(path=path.relative_to(root).as_posix(), sha256=digest, size=size))
    return Tree(files=tuple(files))


def parse(document: bytes) -> Tree:
    """A tree from its document. Raises InvalidError."""
    try:
        return Tree.model_validate_json(document)
    except ValidationError as error:
        raise InvalidError(f"not a tree: {error.errors()[0]['msg']}", code="tree_invalid") from error


def upload(store: ObjectStore, root: Path, paths: list[Path] | None = None) -> Tree:
    """Store a file or folder; blobs that are there already are not sent again. The tree's document is written last."""
    tree = describe(root, paths)

    def send(file: TreeFile) -> None:
        with (root if root.is_file() else root / file.path).open("rb") as content:
            store.put_file(content, file.sha256, file.size)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(send, {file.sha256: file for file in tree.files}.values()))
    store.put_bytes(tree.document())
    return tree


def load(store: ObjectStore, digest: str) -> Tree:
    """A stored tree. Raises NotFoundError, DigestMismatchError."""
    return parse(store.get_bytes(digest))


def download(store: ObjectStore, tree: Tree, target: Path) -> Path:
    """A tree's files into a folder (made when missing), every one verified by its digest."""
    target.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(lambda file: store.get_file(file.sha256, target / file.path), tree.files))
    return target


def materialise(store: ObjectStore, digest: str, cache: Path) -> Path:
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
