"""Blobs."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

from registry.schemas.base import Request

QUESTION: Final = 1000
"""The most blobs one question may be about."""

_LARGEST_PUT: Final = 5 << 30
"""The most bytes S3 takes in one request."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SizedBlob(Request):
    sha256: Sha256
    size: int = Field(ge=0, le=_LARGEST_PUT)


class Uploads(Request):
    blobs: list[SizedBlob] = Field(max_length=QUESTION)


class Downloads(Request):
    digests: list[Sha256] = Field(max_length=QUESTION)


class Blob(BaseModel):
    sha256: str
    size: int


class Place(BaseModel):
    """Where a blob is sent to or read from. `url` is relative when it is a route of this API; `headers` go with the request as they are."""

    sha256: str
    url: str
    headers: dict[str, str]


class MissingBlobs(BaseModel):
    missing: list[Place]


class BlobPlaces(BaseModel):
    blobs: list[Place]
