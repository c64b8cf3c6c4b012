"""What trees are made of and kept in: blobs, bytes that their sha256 names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from modelyard_platform.errors import InvalidError


class DigestMismatchError(InvalidError):
    """The bytes are not those their digest promised."""

    code = "digest_mismatch"


def check_digest(digest: str) -> str:
    """The digest itself when it is 64 lower-case hex characters. Raises InvalidError."""
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise InvalidError(
            f"{digest[:80]!r} is not a sha256 digest: 64 characters of 0-9 and a-f", code="digest_invalid"
        )
    return digest


class Blobs(Protocol):
    """Where blobs are: an object store, or a Modelyard that is far away. Safe to share between threads."""

    def missing(self, blobs: Mapping[str, int]) -> Collection[str]:
        """Those of these blobs (digest → size) that are not stored, and so have to be put."""
        ...

    def put(self, digest: str, data: bytes) -> None:
        """Store one that is missing."""
        ...

    def expect(self, digests: Collection[str]) -> None:
        """These are read next: who has to ask for each does it now, once for all of them."""
        ...

    def chunks(self, digest: str) -> Iterator[bytes]:
        """One's bytes, in pieces of any size.

        Raises:
            NotFoundError: it is not stored.
            DigestMismatchError: after the last piece, when the bytes were not the promised ones.
        """
        ...
