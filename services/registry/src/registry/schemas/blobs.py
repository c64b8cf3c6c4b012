"""Blobs."""

from __future__ import annotations

from pydantic import BaseModel, Field

from registry.schemas.base import Request


class BlobQuestion(Request):
    digests: list[str] = Field(max_length=10_000)


class Blob(BaseModel):
    sha256: str
    size: int


class MissingBlobs(BaseModel):
    missing: list[str]
