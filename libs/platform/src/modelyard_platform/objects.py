"""Blobs in S3, by digest. Plain S3 only, through the `minio` SDK, so that any S3 server will do."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import NamedTemporaryFile
from typing import BinaryIO, Final, cast
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import S3Error

from modelyard_platform.errors import InvalidError, NotFoundError, UnavailableError
from modelyard_platform.settings import StoreSettings
from modelyard_platform.trees.blobs import DigestMismatchError, check_digest

__all__ = ["DigestMismatchError", "ObjectStore", "check_digest", "key_of"]

CHUNK: Final = 1 << 20
_MULTIPART: Final = 16 << 20
_PARALLEL: Final = 16
_MISSING: Final = frozenset({"NoSuchKey", "NoSuchObject", "NotFound"})


def key_of(digest: str) -> str:
    """Where a blob lies in the bucket."""
    return f"blobs/sha256/{check_digest(digest)[:2]}/{digest}"


class ObjectStore:
    """Content-addressed blobs. Synchronous: call it from threads (`asyncio.to_thread`), or use the async pair `put_stream` and `stream`.

    Every method raises UnavailableError when the S3 server does not answer.
    """

    def __init__(self, settings: StoreSettings) -> None:
        url = urlsplit(settings.s3_url)
        self._bucket = settings.s3_bucket
        self._client = Minio(
            url.netloc,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key.get_secret_value(),
            secure=url.scheme == "https",
            region="us-east-1",
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=60),
                maxsize=16,
                retries=urllib3.Retry(total=3, backoff_factor=0.2),
            ),
        )

    def ready(self) -> bool:
        """Whether the bucket is there."""
        with _answers():
            return self._client.bucket_exists(self._bucket)

    def size(self, digest: str) -> int | None:
        """How many bytes this blob has, None when it is not stored."""
        try:
            with _answers():
                return self._client.stat_object(self._bucket, key_of(digest)).size
        except NotFoundError:
            return None

    def exists(self, digest: str) -> bool:
        """Whether this blob is stored."""
        return self.size(digest) is not None

    def sizes(self, digests: Iterable[str]) -> dict[str, int]:
        """The sizes of those blobs that are stored, in bytes."""
        wanted = list(digests)
        if len(wanted) == 1:
            found: Iterable[int | None] = [self.size(wanted[0])]
        else:
            with ThreadPoolExecutor(_PARALLEL) as pool:
                found = list(pool.map(self.size, wanted))
        return {digest: size for digest, size in zip(wanted, found, strict=True) if size is not None}

    def missing(self, blobs: Iterable[str]) -> set[str]:
        """Those blobs that are not stored."""
        wanted = set(blobs)
        return wanted - self.sizes(wanted).keys()

    def put(self, digest: str, data: bytes) -> None:
        """Store bytes whose digest is known to be right."""
        with _answers():
            self._client.put_object(self._bucket, key_of(digest), io.BytesIO(data), len(data), part_size=_MULTIPART)

    def expect(self, digests: Collection[str]) -> None:
        """Nothing has to be asked for here."""

    def put_file(self, file: BinaryIO, digest: str, size: int) -> None:
        """Store a file whose digest is known to be right. A blob that is there already is not sent again."""
        if self.exists(digest):
            return
        with _answers():
            self._client.put_object(self._bucket, key_of(digest), file, size, part_size=_MULTIPART)

    def put_bytes(self, data: bytes) -> str:
        """Store bytes and return their digest."""
        digest = hashlib.sha256(data).hexdigest()
        self.put_file(io.BytesIO(data), digest, len(data))
        return digest

    def get_bytes(self, digest: str, *, limit: int = 64 << 20) -> bytes:
        """A small blob whole, verified. Raises NotFoundError, DigestMismatchError, InvalidError above `limit` bytes."""
        data = bytearray()
        for chunk in self.chunks(digest):
            data += chunk
            if len(data) > limit:
                raise InvalidError(f"blob {digest} is larger than {limit} bytes")
        return bytes(data)

    def chunks(self, digest: str, *, offset: int = 0) -> Iterator[bytes]:
        """A blob piece by piece, from byte `offset` on.

        Raises DigestMismatchError after the last piece when all the bytes were not the promised ones.
        """
        with _answers():
            response = self._client.get_object(self._bucket, key_of(digest), offset=offset)
        seen = hashlib.sha256()
        try:
            while True:
                with _answers():
                    chunk = response.read(CHUNK)
                if not chunk:
                    break
                seen.update(chunk)
                yield chunk
        finally:
            response.close()
            response.release_conn()
        if not offset and seen.hexdigest() != digest:
            raise DigestMismatchError(f"blob {digest} has been damaged: its bytes have the digest {seen.hexdigest()}")

    async def put_stream(self, chunks: AsyncIterator[bytes], digest: str, *, limit: int) -> int:
        """Store what comes in, checking it against its digest first; returns the size. Constant memory: it is spooled to a file.

        Raises DigestMismatchError, or InvalidError (`too_large`) above `limit` bytes. Nothing is stored in either case.
        """
        check_digest(digest)
        seen, size = hashlib.sha256(), 0
        with NamedTemporaryFile(prefix="modelyard-upload-") as spool:
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    raise InvalidError(
                        f"the upload is larger than the limit of {limit} bytes", kind="too_large", code="too_large"
                    )
                seen.update(chunk)
                spool.write(chunk)
            if seen.hexdigest() != digest:
                raise DigestMismatchError(
                    f"the {size} bytes received have the digest {seen.hexdigest()}, not {digest}; send the file again"
                )
            spool.seek(0)
            await asyncio.to_thread(self.put_file, cast("BinaryIO", spool), digest, size)
        return size

    async def stream(self, digest: str, *, offset: int = 0) -> AsyncIterator[bytes]:
        """A blob piece by piece, for an HTTP answer."""
        iterator = self.chunks(digest, offset=offset)
        while (chunk := await asyncio.to_thread(next, iterator, None)) is not None:
            yield chunk


class _answers:  # noqa: N801 - reads as a sentence: `with _answers():`
    """Turns the S3 client's errors into ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, S3Error):
            if error.code in _MISSING:
                raise NotFoundError("there is no such blob", code="blob_missing") from error
            raise UnavailableError(f"the object store refused: {error.code}") from error
        if isinstance(error, urllib3.exceptions.HTTPError):
            raise UnavailableError("the object store does not answer") from error
