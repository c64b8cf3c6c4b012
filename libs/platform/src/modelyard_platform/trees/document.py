"""A tree as a document."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from modelyard_platform.errors import InvalidError

SCHEME: Final = "modelyard://trees/"
"""What a local path has become in a spec that has left the client: this, and the tree's digest."""

PART: Final = 16 << 20
"""The largest blob of a file, in bytes: a larger file is a sequence of parts, all of this size but the last. See docs/adr/0013."""

MAX_FILES: Final = 200_000

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Piece(NamedTuple):
    """The bytes of a file that one blob holds."""

    sha256: str
    offset: int
    size: int


class TreeFile(BaseModel):
    """One file of a tree. `path` is relative, with forward slashes, and stays inside the tree; `sha256` is the whole file's.

    `parts` are the digests of the blobs that hold a file of more than `PART` bytes, in order; the file is one blob when there are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=1024)
    sha256: Digest
    size: int = Field(ge=0)
    parts: tuple[Digest, ...] = ()

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if path.startswith("/") or "\\" in path or "\0" in path or ".." in parts or path != "/".join(parts):
            raise ValueError(
                f"{path!r} is not a plain relative path inside the tree (no leading slash, no .., no backslash)"
            )
        return path

    @model_validator(mode="after")
    def _parts_make_the_file(self) -> Self:
        if self.parts and (self.size <= PART or len(self.parts) != -(-self.size // PART)):
            raise ValueError(f"{self.path!r} of {self.size} bytes is not {len(self.parts)} parts of {PART} bytes")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = dump(self)
        if not self.parts:
            del fields["parts"]
        return fields

    def pieces(self) -> tuple[Piece, ...]:
        """Its blobs and where their bytes go."""
        if not self.parts:
            return (Piece(self.sha256, 0, self.size),)
        return tuple(
            Piece(digest, at, min(PART, self.size - at))
            for digest, at in zip(self.parts, range(0, self.size, PART), strict=True)
        )


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

    def blobs(self) -> dict[str, int]:
        """Every blob that holds bytes of its files: digest → size. Raises InvalidError when one would have two sizes."""
        found: dict[str, int] = {}
        for file in self.files:
            for piece in file.pieces():
                if found.setdefault(piece.sha256, piece.size) != piece.size:
                    raise InvalidError(
                        f"{file.path!r} says that blob {piece.sha256} has {piece.size} bytes, another file {found[piece.sha256]}",
                        code="tree_invalid",
                    )
        return found

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


def parse(document: bytes) -> Tree:
    """A tree from its document. Raises InvalidError."""
    try:
        return Tree.model_validate_json(document)
    except ValidationError as error:
        raise InvalidError(f"not a tree: {error.errors()[0]['msg']}", code="tree_invalid") from error
