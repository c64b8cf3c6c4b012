"""Every table of data gets a profile: per column its type, counts, missing values, and quantiles or top values."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from modelyard_contracts.registry import DataProfiled
from modelyard_platform import outbox, trees
from modelyard_platform.database import transaction
from modelyard_platform.errors import PlatformError, UnavailableError
from modelyard_platform.objects import ObjectStore
from modelyard_platform.trees import Tree
from registry.store import profiles
from registry.store.profiles import ProfileTask
from registry.usecases.assets import SOURCE
from registry.usecases.external import Outside
from registry.usecases.reading import tables
from registry.usecases.version_files import Stored, VersionFiles

if TYPE_CHECKING:
    from modelyard_profiles import TableProfile

log = logging.getLogger(__name__)

IDLE_S: Final = 1.0
MAX_ATTEMPTS: Final = 3
MAX_EXTERNAL_BYTES: Final = 4 << 30
"""Data outside that is larger has no profile."""


async def work(files: VersionFiles, outside: Outside) -> None:
    """Profile what waits, one table at a time, until cancelled."""
    while True:
        try:
            busy = await profile_next(files, outside)
        except Exception:
            log.exception("profiling failed; the task is taken up again when its lease has run out")
            busy = False
        if not busy:
            await asyncio.sleep(IDLE_S)


async def profile_next(files: VersionFiles, outside: Outside) -> bool:
    """Profile the oldest waiting version; False when none waits."""
    pool = files.pool
    async with transaction(pool) as tx:
        task = await profiles.claim_task(tx)
    if task is None:
        return False
    if task.attempts > MAX_ATTEMPTS:
        profile: dict[str, Any] = {"status": "failed", "detail": f"given up after {MAX_ATTEMPTS} attempts"}
    else:
        profile = await _profile(files, outside, task)
    async with transaction(pool) as tx:
        await profiles.finish_task(tx, task.version_id, profile)
        event = DataProfiled(
            name=task.name,
            version=task.version,
            rows=profile.get("rows", 0),
            columns=profile.get("columns", 0),
            detail=profile.get("detail"),
        )
        await outbox.add(tx, SOURCE, event, task.cause)
    return True


async def _profile(files: VersionFiles, outside: Outside, task: ProfileTask) -> dict[str, Any]:
    from modelyard_profiles import ProfileError

    try:
        if task.tree is not None:
            of = Stored(
                id=task.version_id,
                kind="data",
                name=task.name,
                version=task.version,
                tree=task.tree,
                manifest=task.manifest,
            )
            whole = await files.read(task.cause, of, "profile", lambda tree: _stored(files.store, tree, task.type))
        else:
            assert task.external is not None
            whole = await outside.read(task.external, MAX_EXTERNAL_BYTES, lambda folder: _below(folder, task.type))
    except UnavailableError:
        raise
    except (ProfileError, PlatformError) as error:
        return {"status": "failed", "detail": str(error)}
    blob = await asyncio.to_thread(files.store.put_bytes, whole.to_bytes())
    return {
        "status": "profiled",
        "rows": whole.rows,
        "columns": len(whole.columns),
        "blob": blob,
        "summary": whole.summary(),
    }


def _stored(store: ObjectStore, tree: Tree, type_: str | None) -> TableProfile:
    with tempfile.TemporaryDirectory(prefix="modelyard-profile-") as folder:
        if type_ == "mltable":
            return _below(trees.download(store, tree, Path(folder)), type_)
        return _merged((file.path, trees.fetch(store, file, Path(folder) / "table")) for file in tables(tree))


def _below(root: Path, type_: str | None) -> TableProfile:
    from modelyard_profiles import format_of, profile_rows
    from modelyard_profiles.mltable import load_folder

    if type_ == "mltable":
        return profile_rows(load_folder(root))
    paths = sorted(path for path in root.rglob("*") if path.is_file() and format_of(path))
    return _merged((path.relative_to(root).as_posix(), path) for path in paths)


def _merged(files: Iterable[tuple[str, Path]]) -> TableProfile:
    """The profile of the files' rows together; each file is removed when it has been read."""
    from modelyard_profiles import ProfileError, format_of, merge, profile_file

    whole: TableProfile | None = None
    for name, path in files:
        try:
            part = profile_file(path, format_of(PurePosixPath(name)))
            whole = part if whole is None else merge(whole, part)
        except ProfileError as error:
            raise ProfileError(f"{name}: {error}") from error
        path.unlink()
    if whole is None:
        raise ProfileError("there is no CSV, Parquet or JSON lines file in it")
    return whole
