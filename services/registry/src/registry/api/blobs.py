"""Blobs in and out, by digest."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from modelyard_platform.errors import NotFoundError
from modelyard_platform.http import Contributor, Reader
from modelyard_platform.objects import check_digest
from registry.api.parts import Wired
from registry.schemas.blobs import Blob, BlobQuestion, MissingBlobs

router = APIRouter(prefix="/api/v1/blobs", tags=["blobs"])


@router.post("/missing", response_model=MissingBlobs)
async def missing(body: BlobQuestion, parts: Wired, caller: Reader) -> Any:
    """Which of these blobs are not stored, and so have to be sent."""
    digests = [check_digest(digest) for digest in body.digests]
    return {"missing": sorted(await asyncio.to_thread(parts.store.missing, digests))}


@router.put("/{sha256}", status_code=201, response_model=Blob)
async def put(sha256: str, request: Request, parts: Wired, caller: Contributor) -> Any:
    """Store a blob. Its bytes are checked against the digest before anything is kept."""
    size = await parts.store.put_stream(request.stream(), sha256, limit=parts.max_blob_bytes)
    return {"sha256": sha256, "size": size}


@router.get("/{sha256}", response_class=StreamingResponse)
async def get(sha256: str, parts: Wired, caller: Reader) -> StreamingResponse:
    """A blob's bytes."""
    if not await asyncio.to_thread(parts.store.exists, sha256):
        raise NotFoundError(f"there is no blob {sha256}", code="blob_missing")
    return StreamingResponse(parts.store.stream(sha256), media_type="application/octet-stream")
