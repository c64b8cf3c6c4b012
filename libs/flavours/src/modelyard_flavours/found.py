"""What is found out about a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

Dim = int | str | None
"""A size, a symbol that stands for one (`batch`), or unknown."""


class UnreadableError(Exception):
    """A file is not what its name or its beginning says, or is damaged; the text says where."""


class Files(Protocol):
    """A model's files: `sizes` in bytes by path (relative, forward slashes), each opened to be read at any position."""

    @property
    def sizes(self) -> Mapping[str, int]: ...

    def open(self, path: str) -> BinaryIO: ...


class Folder:
    """The files of a folder on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.sizes: Mapping[str, int] = {
            path.relative_to(root).as_posix(): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()
        }

    def open(self, path: str) -> BinaryIO:
        return (self._root / path).open("rb")


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input, output or weight: its numpy type name (`float32`, `string`; None: not known) and shape (None: any rank)."""

    name: str
    type: str | None = None
    shape: tuple[Dim, ...] | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes and gives. An empty side is not known."""

    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Flavour:
    """A way to load the model: the `file` (or folder) that holds it, the `version` of the library that wrote it, and the `loader`, which
    is a class, function or module of it. `tensors` are weights that its header names."""

    name: str
    file: str
    version: str | None = None
    loader: str | None = None
    tensors: tuple[Tensor, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """Something that loading `file` would do, or may hide. `imports` are the names it asks for."""

    file: str
    detail: str
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """All of it. `mlflow` is what an MLmodel file says beyond that: `files` by flavour, `run_id`, `model_id`, `input_example` …"""

    flavours: tuple[Flavour, ...] = ()
    signature: Signature | None = None
    warnings: tuple[Warned, ...] = ()
    mlflow: Mapping[str, Any] | None = field(default=None)

    def document(self) -> dict[str, Any]:
        """As JSON: keys without a value are left out."""
        return {
            "flavours": [_known(asdict(flavour)) for flavour in self.flavours],
            "signature": None if self.signature is None else asdict(self.signature),
            "warnings": [_known(asdict(warned)) for warned in self.warnings],
            **({} if self.mlflow is None else {"mlflow": dict(self.mlflow)}),
        }

    def named(self, name: str) -> Iterator[Flavour]:
        """The flavours of this name."""
        return (flavour for flavour in self.flavours if flavour.name == name)


def _known(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value != ()}
