"""Artifacts: the names of files that runs and logged models have put out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from modelyard_platform.errors import ConflictError
from scheduler.domain.runs import check_artifact_path
from scheduler.store import artifacts
from scheduler.store.artifacts import Artifact


async def put_artifact(
    pool: Pool, cause: Cause, path: str, *, sha256: str, size: int, parts: list[str]
) -> dict[str, Any]:
    """Name a file whose blobs are stored. Raises RunError for a path that leads elsewhere, ConflictError."""
    check_artifact_path(path)
    parents = [str(parent) for parent in PurePosixPath(path).parents][:-1]
    artifact = Artifact(path=path, sha256=sha256, size=size, parts=parts)
    async with transaction(pool) as tx:
        if (blocking := await artifacts.find_blocking(tx, cause.workspace, path, parents)) is not None:
            raise ConflictError(f"{path!r} cannot be a file: there is {blocking!r}", code="artifact_blocked")
        await artifacts.put_artifact(tx, cause.workspace, cause.actor, artifact)
    return asdict(artifact)


async def get_artifact(pool: Pool, cause: Cause, path: str) -> dict[str, Any]:
    """Raises ArtifactNotFoundError."""
    async with transaction(pool) as tx:
        return asdict(await artifacts.require_artifact(tx, cause.workspace, path))


async def list_under(
    pool: Pool, cause: Cause, folder: str, *, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of all files under a folder, and the cursor of the next page."""
    async with transaction(pool) as tx:
        found = await artifacts.list_under(tx, cause.workspace, folder, after=after, limit=limit + 1)
    page = [asdict(artifact) for artifact in found[:limit]]
    return page, page[-1]["path"] if len(found) > limit else None


async def list_children(
    pool: Pool, cause: Cause, folder: str, *, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of what lies directly in a folder, and the cursor of the next page."""
    async with transaction(pool) as tx:
        found = await artifacts.list_children(tx, cause.workspace, folder, after=after, limit=limit + 1)
    page = found[:limit]
    return page, page[-1]["name"] if len(found) > limit else None


async def delete_artifacts(pool: Pool, cause: Cause, path: str) -> None:
    """Forget a file, or a folder with all that is under it; what is not there is no error."""
    async with transaction(pool) as tx:
        await artifacts.delete_artifacts(tx, cause.workspace, path)
