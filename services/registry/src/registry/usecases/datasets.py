"""What is in a version of data: its profile, some of its rows, how it differs from another, whether it is still what it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from modelyard_platform.cause import Cause
from modelyard_platform.database import transaction
from modelyard_platform.errors import NotFoundError, PreconditionError
from modelyard_platform.trees import Tree
from registry.domain.assets import AssetVersion
from registry.errors import InvalidError
from registry.usecases.assets import find
from registry.usecases.external import Outside
from registry.usecases.reading import data_file, mltable_of, tables
from registry.usecases.version_files import VersionFiles, stored

if TYPE_CHECKING:
    from modelyard_profiles import Rows, TableProfile

T = TypeVar("T")

MAX_PROFILE_BYTES: Final = 256 << 20
MAX_PREVIEW_BYTES: Final = 256 << 20
"""What is downloaded of data outside to show some of its rows."""
READERS: Final = 4
"""Previews and differences at a time: each holds some tens of megabytes."""


class Datasets:
    """Reads the contents of data versions; only a few at a time."""

    def __init__(self, files: VersionFiles, outside: Outside) -> None:
        self._files = files
        self._outside = outside
        self._turns = asyncio.Semaphore(READERS)

    async def profile(self, workspace: str, name: str, version: str) -> dict[str, Any]:
        """The profile as a document: histograms with bin edges, quantiles, top values, missing and distinct values.

        Raises NotFoundError, PreconditionError while there is none.
        """
        found = await self._find(workspace, name, version)
        profile = await self._in_turn(lambda: self._profile(found))
        return {"name": name, "version": found.version, **profile.document()}

    async def difference(self, cause: Cause, name: str, before: str, after: str) -> dict[str, Any]:
        """How `after` differs from `before`: versions or `@label` of this name, or `other:version`, `other@label`.

        Raises NotFoundError, PreconditionError while a profile is still being made.
        """
        left = await self._named(cause.workspace, name, before)
        right = await self._named(cause.workspace, name, after)
        lists: list[Tree] = []
        if left.tree is not None and right.tree is not None:
            lists = [await self._files.tree(cause, stored(side), "diff") for side in (left, right)]
        return await self._in_turn(lambda: self._difference(left, right, lists))

    async def rows(
        self, cause: Cause, name: str, version: str, *, file: str | None, offset: int, limit: int
    ) -> dict[str, Any]:
        """Some rows of the version's table: its MLTable, its only table, or `file`. Raises NotFoundError, InvalidError."""
        found = await self._find(cause.workspace, name, version)
        if found.tree is not None:
            async with self._turns:
                path, rows = await self._files.read(
                    cause, stored(found), "rows", lambda tree: self._stored_rows(tree, found.type, file, offset, limit)
                )
        elif found.external is not None:
            path, rows = await self._outside.read(
                found.external, MAX_PREVIEW_BYTES, lambda at: _rows_below(at, found.type, file, offset, limit)
            )
        else:
            raise NotFoundError(f"data {name}:{found.version} keeps no files here")
        return {
            "file": path,
            "columns": rows.columns,
            "rows": rows.rows,
            "offset": offset,
            "next": offset + len(rows.rows) if rows.more else None,
        }

    async def check(self, workspace: str, name: str, version: str) -> dict[str, Any]:
        """Whether data outside is still what was registered. Raises ExternalChangedError, saying what was and what is."""
        found = await self._find(workspace, name, version)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"name": name, "version": found.version, "checked_at": at}
        if found.external is None:
            return about | {"status": "kept", "recorded": None, "now": None}
        now = await self._outside.check(found.external)
        status = "unchanged" if now.checked else "unchecked"
        return about | {"status": status, "recorded": found.external, "now": now.model_dump(mode="json")}

    async def _find(self, workspace: str, name: str, version: str) -> AssetVersion:
        async with transaction(self._files.pool) as tx:
            return await find(tx, workspace, "data", name, version)

    async def _named(self, workspace: str, name: str, text: str) -> AssetVersion:
        """`3`, `@latest`, `other:3` or `other@latest`."""
        other, at, label = text.partition("@")
        if at:
            return await self._find(workspace, other or name, f"@{label}")
        other, colon, version = text.rpartition(":")
        return await self._find(workspace, other if colon else name, version)

    async def _in_turn(self, call: Callable[[], T]) -> T:
        async with self._turns:
            return await asyncio.to_thread(call)

    def _profile(self, found: AssetVersion) -> TableProfile:
        from modelyard_profiles import TableProfile

        profile = found.profile
        called = f"data {found.name}:{found.version}"
        if profile is None:
            if found.tree is None and found.external is None:
                raise PreconditionError(f"{called} keeps no files here, so it has no profile", code="profile_missing")
            raise PreconditionError(f"{called} is still being profiled; ask again in a moment", code="profile_pending")
        if profile["status"] != "profiled":
            raise PreconditionError(f"{called} has no profile: {profile['detail']}", code="profile_missing")
        return TableProfile.from_bytes(self._files.store.get_bytes(profile["blob"], limit=MAX_PROFILE_BYTES))

    def _difference(self, before: AssetVersion, after: AssetVersion, lists: list[Tree]) -> dict[str, Any]:
        from registry.domain.datasets import files_between, tables_between

        notes: list[str] = []
        document: dict[str, Any] = {
            "from": _short(before),
            "to": _short(after),
            "identical": before.tree is not None and before.tree == after.tree,
            "files": None,
            "table": None,
            "notes": notes,
        }
        if lists:
            document["files"] = files_between(*lists)
        else:
            notes.append("files are not compared: a side stays outside")
        try:
            document["table"] = tables_between(self._profile(before), self._profile(after))
        except PreconditionError as error:
            if error.code == "profile_pending":
                raise
            notes.append(f"tables are not compared: {error.detail}")
        return document

    def _stored_rows(
        self, tree: Tree, type_: str | None, file: str | None, offset: int, limit: int
    ) -> tuple[str, Rows]:
        from modelyard_profiles import ProfileError, file_rows, format_of, read_rows
        from modelyard_profiles.mltable import FILE_NAME

        store = self._files.store
        try:
            if file is None and type_ == "mltable":
                return FILE_NAME, read_rows(mltable_of(store, tree), offset, limit)
            path = _chosen([one.path for one in tables(tree)], [one.path for one in tree.files], file)
            wanted = next(one for one in tree.files if one.path == path)
            file_format = format_of(PurePosixPath(path))
            assert file_format is not None
            return path, file_rows(data_file(store, wanted), file_format, offset, limit)
        except ProfileError as error:
            raise _unreadable(error) from error


def _rows_below(root: Path, type_: str | None, file: str | None, offset: int, limit: int) -> tuple[str, Rows]:
    from modelyard_profiles import DataFile, ProfileError, file_rows, format_of, read_rows
    from modelyard_profiles.mltable import FILE_NAME, load_folder

    try:
        if file is None and type_ == "mltable":
            return FILE_NAME, read_rows(load_folder(root), offset, limit)
        paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        path = _chosen([path for path in paths if format_of(PurePosixPath(path))], paths, file)
        file_format = format_of(PurePosixPath(path))
        assert file_format is not None
        return path, file_rows(DataFile.at(root / path, path), file_format, offset, limit)
    except ProfileError as error:
        raise _unreadable(error) from error


def _chosen(readable: list[str], paths: list[str], wanted: str | None) -> str:
    if wanted is None:
        if not readable:
            raise InvalidError(
                f"there is no CSV, Parquet or JSON lines file among {len(paths)} files", code="no_table", path="file"
            )
        return readable[0]
    if wanted in readable:
        return wanted
    if wanted in paths:
        raise InvalidError(f"{wanted!r} is no CSV, Parquet or JSON lines file", code="no_table", path="file")
    raise NotFoundError(f"there is no file {wanted!r}; there are {', '.join((readable or paths)[:10])}", path="file")


def _unreadable(error: Exception) -> InvalidError:
    return InvalidError(str(error), code="data_unreadable", path="file", line=getattr(error, "line", None))


def _short(version: AssetVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "type": version.type,
        "tree": version.tree,
        "created_at": version.created_at.isoformat(),
    }
