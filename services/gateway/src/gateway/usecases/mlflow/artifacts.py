"""Files through the proxy, in constant memory: in parts of 16 MiB, each of them a blob, and out again one after the other.

Runs' and logged models' files are named by the scheduler; below `registered-models/` the registry's versions can be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, assert_never

import httpx

from gateway.domain.mlflow.addresses import ArtifactPath, VersionPath, artifact_path, artifact_uri
from gateway.usecases.mlflow.parts import Session, part
from gateway.usecases.mlflow.sources import tree_file
from modelyard_platform.errors import InvalidError, NotFoundError, PlatformError
from modelyard_platform.trees import PART, DigestMismatchError, Piece, TreeFile

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Download:
    """A file to be sent: its size, and its bytes."""

    size: int
    chunks: AsyncIterator[bytes]


async def upload(session: Session, path: str, chunks: AsyncIterator[bytes]) -> None:
    """Store what comes in under a path; the name is given last, so that a file that is there is whole. Raises InvalidError."""
    where = artifact_path(path)
    if isinstance(where, VersionPath):
        raise InvalidError("the files of a registered version never change; register another version", path="path")
    whole, size, parts = hashlib.sha256(), 0, list[str]()
    async with session.upstreams.uploads:
        async for pieces in _parts(chunks):
            digest = hashlib.sha256()
            for piece in pieces:
                whole.update(piece)
                digest.update(piece)
            length = sum(len(piece) for piece in pieces)
            await session.put_blob(digest.hexdigest(), pieces, length)
            size += length
            parts.append(digest.hexdigest())
    content = {"sha256": whole.hexdigest(), "size": size, "parts": parts if len(parts) > 1 else []}
    await session.scheduler("PUT", f"artifacts/{part(where.path)}", content)


async def _parts(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """`PART` bytes at a time, the last time fewer, as they came in; one empty part of an empty file."""
    held, room, first = list[bytes](), PART, True
    async for chunk in chunks:
        rest = memoryview(chunk)
        while len(rest) > room:
            held.append(bytes(rest[:room]))
            yield held
            rest, held, room, first = rest[room:], [], PART, False
        if rest:
            held.append(bytes(rest))
            room -= len(rest)
    if held or first:
        yield held


async def download(session: Session, path: str) -> Download:
    """A file. Raises NotFoundError."""
    where = artifact_path(path)
    match where:
        case ArtifactPath(plain):
            file = tree_file(await session.scheduler("GET", f"artifacts/{part(plain)}"))
        case VersionPath(name, version, below):
            files = {one.path: one for one in await _files(session, name, version)}
            if below not in files:
                raise NotFoundError(f"version {version} of {name} has no file {below!r}")
            file = files[below]
        case _:
            assert_never(where)
    pieces = file.pieces()
    first = await session.open_blob(pieces[0].sha256)  # what is missing is to be an error, not half an answer
    return Download(file.size, _stream(session, where, first, pieces))


async def _stream(
    session: Session, where: ArtifactPath | VersionPath, first: httpx.Response, pieces: tuple[Piece, ...]
) -> AsyncIterator[bytes]:
    """The blobs one after the other. MLflow's clients check nothing: what was damaged does not reach its end, and they fail."""
    answer = first
    for number, piece in enumerate(pieces, 1):
        seen, size, last = hashlib.sha256(), 0, b""
        try:
            async for chunk in answer.aiter_raw():
                seen.update(chunk)
                size += len(chunk)
                if last:
                    yield last
                last = chunk
        except httpx.TransportError:
            if size < piece.size:
                raise  # else the registry has broken it off, since it was not what its digest says
        finally:
            await answer.aclose()
        if seen.hexdigest() != piece.sha256:
            why = f"blob {piece.sha256} has been damaged: its bytes have the digest {seen.hexdigest()}"
            await _refuse(session, where, why)
        if last:
            yield last
        if number < len(pieces):
            answer = await session.open_blob(pieces[number].sha256)


async def _refuse(session: Session, where: ArtifactPath | VersionPath, why: str) -> NoReturn:
    """Say so of a registered version; of other artifacts nobody has said what they are. Raises DigestMismatchError."""
    if isinstance(where, VersionPath):
        with suppress(PlatformError):
            path = f"models/{part(where.name)}/versions/{part(where.version)}/integrity-failures"
            await session.registry("POST", path, {"detail": f"{where.path}: {why}"})
    raise DigestMismatchError(why)


async def list_folder(session: Session, path: str) -> list[dict[str, Any]]:
    """What lies directly in a folder, each by its name; nothing for a file or what is not there."""
    if not path.strip("/"):
        return []
    where = artifact_path(path)
    match where:
        case ArtifactPath(plain):
            return [_info(one["name"], one["size"]) async for one in _children(session, plain)]
        case VersionPath(name, version, below):
            return _level(await _files(session, name, version), below)
        case _:
            assert_never(where)


async def list_run(session: Session, run: str, path: str | None) -> dict[str, Any]:
    """A run's artifacts in a folder, by their paths from its root."""
    found = await session.scheduler("GET", f"runs/{part(run)}")
    return await _listed(session, found["artifacts"], path)


async def list_logged_model(session: Session, model: str, path: str | None) -> dict[str, Any]:
    """A logged model's files in a folder, by their paths from its root."""
    found = await session.scheduler("GET", f"logged-models/{part(model)}")
    return await _listed(session, found["artifacts"], path)


async def delete(session: Session, path: str) -> None:
    """Forget a file or a folder. Raises InvalidError for a registered version's."""
    where = artifact_path(path)
    if isinstance(where, VersionPath):
        raise InvalidError("the files of a registered version never change; delete the version", path="path")
    await session.scheduler("DELETE", f"artifacts/{part(where.path)}")


async def _listed(session: Session, root: str, path: str | None) -> dict[str, Any]:
    below = (path or "").strip("/")
    infos = await list_folder(session, f"{root}/{below}" if below else root)
    shown = [info | {"path": f"{below}/{info['path']}"} for info in infos] if below else infos
    return {"root_uri": artifact_uri(root), "files": shown}


async def _children(session: Session, folder: str) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        query = {"under": folder, "limit": _PAGE} | ({"cursor": cursor} if cursor else {})
        page = await session.scheduler("GET", "artifacts", query=query)
        for one in page["items"]:
            yield one
        cursor = page["next"]
        if cursor is None:
            return


async def _files(session: Session, name: str, version: str) -> list[TreeFile]:
    tree = await session.registry("GET", f"models/{part(name)}/versions/{part(version)}/tree")
    return [TreeFile.model_validate(file) for file in tree["files"]]


def _level(files: list[TreeFile], folder: str) -> list[dict[str, Any]]:
    inside = f"{folder.strip('/')}/" if folder.strip("/") else ""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        if file.path.startswith(inside):
            name, deeper, _ = file.path.removeprefix(inside).partition("/")
            found[name] = _info(name, None if deeper else file.size)
    return list(found.values())


def _info(name: str, size: int | None) -> dict[str, Any]:
    return {"path": name, "is_dir": True} if size is None else {"path": name, "is_dir": False, "file_size": size}
