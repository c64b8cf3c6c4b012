"""Blobs in and out, by digest: where S3 can be reached by clients, they are told where and send the bytes there."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from modelyard_platform.errors import NotFoundError
from modelyard_platform.http import Contributor, Reader
from modelyard_platform.presigning import Presigned
from registry.api.parts import Wired
from registry.schemas.blobs import Blob, BlobPlaces, Downloads, MissingBlobs, Uploads

PREFIX: Final = "/api/v1/blobs"
_BYTES: Final = "application/octet-stream"
_FROM: Final = re.compile(r"bytes=(\d{1,18})-")

router = APIRouter(prefix=PREFIX, tags=["blobs"])

MAX_BLOB_BYTES: Final = 64 << 20
"""Files travel in parts (`trees.PART`); only the document of a tree with very many files is larger than one."""


@router.post("/uploads", response_model=MissingBlobs)
async def uploads(body: Uploads, parts: Wired, caller: Contributor) -> Any:
    """Which of these blobs are not stored, and where to PUT each. What is put there is refused unless it is exactly those bytes."""
    sizes = {blob.sha256: blob.size for blob in body.blobs}
    missing = sorted(await asyncio.to_thread(parts.store.missing, sizes))
    sign = parts.presigner
    return {"missing": [_place(digest, sign.put(digest, sizes[digest]) if sign else None) for digest in missing]}


@router.post("/downloads", response_model=BlobPlaces)
async def downloads(body: Downloads, parts: Wired, caller: Reader) -> Any:
    """Where to GET each of these blobs."""
    sign = parts.presigner
    return {"blobs": [_place(digest, sign.get(digest) if sign else None) for digest in body.digests]}


@router.put("/{sha256}", status_code=201, response_model=Blob, max_body_size=MAX_BLOB_BYTES)
async def put(sha256: str, request: Request, parts: Wired, caller: Contributor) -> Any:
    """Store a blob. Its bytes are checked against the digest before anything is kept."""
    size = await parts.store.put_stream(request.stream(), sha256, limit=MAX_BLOB_BYTES)
    return {"sha256": sha256, "size": size}


@router.get("/{sha256}", response_class=StreamingResponse)
async def get(
    sha256: str, parts: Wired, caller: Reader, range_: Annotated[str | None, Header(alias="Range")] = None
) -> StreamingResponse:
    """A blob's bytes; with `Range: bytes=N-` from byte N on. Other ranges are answered with all of them, as HTTP allows."""
    size = await asyncio.to_thread(parts.store.size, sha256)
    if size is None:
        raise NotFoundError(f"there is no blob {sha256}", code="blob_missing")
    asked = _FROM.fullmatch(range_ or "")
    offset = int(asked[1]) if asked else 0
    if not 0 < offset < size:
        return StreamingResponse(parts.store.stream(sha256), media_type=_BYTES)
    headers = {"Content-Range": f"bytes {offset}-{size - 1}/{size}"}
    return StreamingResponse(parts.store.stream(sha256, offset=offset), 206, headers, _BYTES)


def _place(digest: str, at: Presigned | None) -> dict[str, Any]:
    if at is None:
        return {"sha256": digest, "url": f"{PREFIX}/{digest}", "headers": {}}
    return {"sha256": digest, "url": at.url, "headers": at.headers}
