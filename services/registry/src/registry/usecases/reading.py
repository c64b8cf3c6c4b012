"""Tables of data versions, read from where their files are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from modelyard_platform import trees
from modelyard_platform.objects import ObjectStore
from modelyard_platform.tree_reader import TreeReader
from modelyard_platform.trees import Tree, TreeFile
from registry.errors import InvalidError

if TYPE_CHECKING:
    from modelyard_profiles.readers import Batches, DataFile, Types


def data_file(store: ObjectStore, file: TreeFile) -> DataFile:
    """A tree's file as the readers of tables take it."""
    from modelyard_profiles import DataFile

    return DataFile(file.path, lambda: TreeReader(store, Tree(files=(file,))).open(file.path))


def mltable_of(store: ObjectStore, tree: Tree) -> Callable[[Types], Batches]:
    """The table that the tree's MLTable file describes. Raises InvalidError."""
    from modelyard_profiles.mltable import FILE_NAME, LONGEST_BYTES, MLTableError, parse

    files: Mapping[str, TreeFile] = {file.path: file for file in tree.files}
    at = files.get(FILE_NAME)
    if at is None:
        few = ", ".join(list(files)[:5])
        raise InvalidError(
            f"data of type mltable needs a file called {FILE_NAME} at its root; there are {few}", path="path"
        )
    if at.size > LONGEST_BYTES:
        raise InvalidError(
            f"{FILE_NAME} is longer than {LONGEST_BYTES} bytes", code="mltable_invalid", path="path", file=FILE_NAME
        )
    try:
        table = parse(b"".join(trees.chunks(store, at)))
        chosen = [data_file(store, files[path]) for path in table.files(files)]
    except MLTableError as error:
        raise InvalidError(str(error), code="mltable_invalid", path="path", file=FILE_NAME, line=error.line) from error
    return lambda types: table.batches(chosen, types)


def tables(tree: Tree) -> list[TreeFile]:
    """The files that a profile reads: those whose names tell a tabular format."""
    from modelyard_profiles import format_of

    return [file for file in tree.files if format_of(PurePosixPath(file.path)) is not None]


def check_content(store: ObjectStore, type_: str | None, tree: Tree) -> None:
    """That data is what its type says, before it is registered. Raises InvalidError, with the file and line."""
    if type_ == "mltable":
        mltable_of(store, tree)
