"""Every table of data gets a profile: per column its type, counts, missing values, and quantiles or top values."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any, Final

from modelyard_contracts.registry import DataProfiled
from modelyard_platform import outbox, trees
from modelyard_platform.database import Pool, transaction
from modelyard_platform.objects import ObjectStore
from registry.store import profiles
from registry.store.profiles import ProfileTask
from registry.usecases.assets import SOURCE

log = logging.getLogger(__name__)

IDLE_S: Final = 1.0
MAX_ATTEMPTS: Final = 3


async def work(pool: Pool, store: ObjectStore) -> None:
    """Profile what waits, one table at a time, until cancelled."""
    while True:
        try:
            busy = await profile_next(pool, store)
        except Exception:
            log.exception("profiling failed; the task is taken up again when its lease has run out")
            busy = False
        if not busy:
            await asyncio.sleep(IDLE_S)


async def profile_next(pool: Pool, store: ObjectStore) -> bool:
    """Profile the oldest waiting version; False when none waits."""
    async with transaction(pool) as tx:
        task = await profiles.claim_task(tx)
    if task is None:
        return False
    if task.attempts > MAX_ATTEMPTS:
        profile: dict[str, Any] = {"status": "failed", "detail": f"given up after {MAX_ATTEMPTS} attempts"}
    else:
        profile = await asyncio.to_thread(_profile, store, task)
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


def _profile(store: ObjectStore, task: ProfileTask) -> dict[str, Any]:
    from modelyard_profiles import ProfileError, TableProfile, format_of, merge, profile_file

    tree = trees.load(store, task.tree)
    whole: TableProfile | None = None
    for file in tree.files:
        file_format = format_of(Path(file.path))
        if file_format is None:
            continue
        with tempfile.TemporaryDirectory(prefix="modelyard-profile-") as folder:
            local = Path(folder) / "table"
            store.get_file(file.sha256, local)
            try:
                part = profile_file(local, file_format)
                whole = part if whole is None else merge(whole, part)
            except ProfileError as error:
                return {"status": "failed", "detail": f"{file.path}: {error}"}
    if whole is None:
        return {
            "status": "failed",
            "detail": f"no CSV, Parquet or JSON lines file among {len(tree.files)} files",
        }
    summary = whole.summary()
    blob = store.put_bytes(whole.to_bytes())
    return {"status": "profiled", "rows": whole.rows, "columns": len(whole.columns), "blob": blob, "summary": summary}
