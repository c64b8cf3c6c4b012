"""Names of the files that runs and logged models have put out; their bytes are blobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from modelyard_platform.database import Connection
from scheduler.errors import ArtifactNotFoundError

_PUT: Final = """
insert into artifacts (workspace, path, sha256, size, parts, created_by) values ($1, $2, $3, $4, $5, $6)
on conflict (workspace, path) do update set sha256 = excluded.sha256, size = excluded.size, parts = excluded.parts,
    created_by = excluded.created_by, created_at = now()
"""
# `0` follows `/`: everything that begins with `folder/` lies between `folder/` and `folder0`.
_BLOCKS: Final = """
select path from artifacts where workspace = $1 and (path = any($2) or (path > $3 || '/' and path < $3 || '0')) limit 1
"""
_GET: Final = "select path, sha256, size, parts from artifacts where workspace = $1 and path = $2"
_UNDER: Final = """
select path, sha256, size, parts from artifacts
where workspace = $1 and path > $2 || '/' and path < $2 || '0' and path > $3 order by path limit $4
"""
_CHILDREN: Final = """
select name, bool_or(folder) as folder, max(size) as size from (
    select split_part(substr(path, length($2) + 2), '/', 1) as name, strpos(substr(path, length($2) + 2), '/') > 0 as folder, size
    from artifacts where workspace = $1 and path > $2 || '/' and path < $2 || '0'
) below where name > $3 group by name order by name limit $4
"""
_DELETE: Final = """
delete from artifacts where workspace = $1 and (path = $2 or (path > $2 || '/' and path < $2 || '0'))
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """A file: the digest of its bytes, and of its parts when it is kept in more than one blob."""

    path: str
    sha256: str
    size: int
    parts: list[str]


def _artifact(row: asyncpg.Record) -> Artifact:
    return Artifact(path=row["path"], sha256=row["sha256"], size=row["size"], parts=row["parts"])


async def put_artifact(tx: Connection, workspace: str, actor: str, artifact: Artifact) -> None:
    """Name a file; a file of that name is replaced."""
    await tx.execute(_PUT, workspace, artifact.path, artifact.sha256, artifact.size, artifact.parts, actor)


async def find_blocking(tx: Connection, workspace: str, path: str, parents: list[str]) -> str | None:
    """A file that stands where `path` needs a folder, or one below `path`: a name is a file or a folder."""
    found: str | None = await tx.fetchval(_BLOCKS, workspace, parents, path)
    return found


async def require_artifact(tx: Connection, workspace: str, path: str) -> Artifact:
    """Raises ArtifactNotFoundError."""
    row = await tx.fetchrow(_GET, workspace, path)
    if row is None:
        raise ArtifactNotFoundError(path)
    return _artifact(row)


async def list_under(tx: Connection, workspace: str, folder: str, *, after: str, limit: int) -> list[Artifact]:
    """A page of all files under a folder, however deep, by path."""
    return [_artifact(row) for row in await tx.fetch(_UNDER, workspace, folder, after, limit)]


async def list_children(tx: Connection, workspace: str, folder: str, *, after: str, limit: int) -> list[dict[str, Any]]:
    """A page of what lies directly in a folder, by name: files with their sizes, folders without."""
    return [
        {"name": row["name"], "folder": row["folder"], "size": None if row["folder"] else row["size"]}
        for row in await tx.fetch(_CHILDREN, workspace, folder, after, limit)
    ]


async def delete_artifacts(tx: Connection, workspace: str, path: str) -> None:
    """A file, or a folder with all that is under it."""
    await tx.execute(_DELETE, workspace, path)
