"""Objects of the S3 server outside, behind `s3://bucket/key`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError

from modelyard_platform.errors import ForbiddenError, InvalidError, NotFoundError, PreconditionError, UnavailableError
from modelyard_platform.external.web import too_large
from modelyard_platform.objects import CHUNK
from modelyard_platform.settings import ExternalSettings
from modelyard_platform.trees import TreeFile

MAX_OBJECTS: Final = 10_000
_MISSING: Final = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchObject", "NotFound"})


@dataclass(frozen=True, slots=True)
class Object:
    """One object. `path` is relative to what was asked for."""

    key: str
    path: str
    etag: str
    size: int
    last_modified: str | None


class Buckets:
    """Reads the one S3 server that the settings name; the address is the administrator's word and not checked."""

    def __init__(self, settings: ExternalSettings) -> None:
        self._settings = settings

    def objects(self, url: str) -> list[Object]:
        """The object of that key, or all that lie below it as in a folder. Raises NotFoundError, InvalidError past MAX_OBJECTS."""
        bucket, key = _parts(url)
        client = self._client()
        with _answers(url):
            if key and not key.endswith("/"):
                try:
                    found = client.stat_object(bucket, key)
                except S3Error as error:
                    if error.code not in _MISSING:
                        raise
                else:
                    modified = found.last_modified.isoformat() if found.last_modified else None
                    name = PurePosixPath(key).name
                    return [Object(key, name, found.etag or "", found.size or 0, modified)]
            prefix = f"{key.rstrip('/')}/" if key else ""
            below: list[Object] = []
            for item in client.list_objects(bucket, prefix=prefix, recursive=True):
                name = item.object_name or ""
                if item.is_dir or name == prefix:
                    continue
                if len(below) == MAX_OBJECTS:
                    raise InvalidError(f"{url} holds more than {MAX_OBJECTS} objects; register it with its files")
                below.append(Object(name, name.removeprefix(prefix), item.etag or "", item.size or 0, None))
        if not below:
            raise NotFoundError(f"there is nothing at {url}", code="external_missing")
        return below

    def download(self, url: str, found: list[Object], target: Path, seconds: float) -> None:
        """These objects into the folder `target`. Raises PreconditionError when one has changed since it was listed."""
        bucket, _ = _parts(url)
        client = self._client()
        deadline = time.monotonic() + seconds
        limit = self._settings.external_max_bytes
        if (size := sum(item.size for item in found)) > limit:
            raise too_large(url, size, limit)
        for item in found:
            path = target / TreeFile(path=item.path, sha256="0" * 64, size=0).path  # checks that it stays inside
            path.parent.mkdir(parents=True, exist_ok=True)
            read = 0
            with _answers(url):
                response = client.get_object(bucket, item.key, request_headers={"If-Match": f'"{item.etag}"'})
                try:
                    with path.open("wb") as file:
                        for chunk in response.stream(CHUNK):
                            file.write(chunk)
                            read += len(chunk)
                            if read > item.size:
                                raise PreconditionError(f"{url} has changed while it was read", code="external_changed")
                            if time.monotonic() > deadline:
                                raise UnavailableError(f"{url} is sent too slowly")
                finally:
                    response.close()
                    response.release_conn()
            if read != item.size:
                raise UnavailableError(f"{url}: {item.path} broke off after {read} of {item.size} bytes")

    def _client(self) -> Minio:
        settings = self._settings
        if not settings.external_s3_url:
            raise ForbiddenError(
                "s3:// is not read: the setting EXTERNAL_S3_URL names no server", code="external_forbidden"
            )
        url = urlsplit(settings.external_s3_url)
        return Minio(
            url.netloc,
            access_key=settings.external_s3_access_key or None,
            secret_key=settings.external_s3_secret_key.get_secret_value() or None,
            secure=url.scheme == "https",
            region=settings.external_s3_region,
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=30), retries=urllib3.Retry(total=2, backoff_factor=0.2)
            ),
        )


def listing_digest(found: list[Object]) -> str:
    """One ETag for many objects: sha256 of their paths, sizes and ETags."""
    lines = "".join(f"{item.path}\0{item.size}\0{item.etag}\n" for item in sorted(found, key=lambda item: item.path))
    return hashlib.sha256(lines.encode()).hexdigest()


def _parts(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    if not parts.netloc or "@" in parts.netloc or "\0" in parts.path:
        raise InvalidError(f"{url[:200]!r} is not s3://bucket/key", path="path")
    return parts.netloc, parts.path.removeprefix("/")


@contextmanager
def _answers(url: str) -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise NotFoundError(f"there is nothing at {url}", code="external_missing") from error
        if error.code == "PreconditionFailed":
            raise PreconditionError(f"{url} has changed while it was read", code="external_changed") from error
        if error.code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
            raise ForbiddenError(f"the S3 server refuses {url}: {error.code}", code="external_forbidden") from error
        raise UnavailableError(f"the S3 server refuses {url}: {error.code}") from error
    except (urllib3.exceptions.HTTPError, InvalidResponseError, ServerError) as error:
        raise UnavailableError("the S3 server outside does not answer") from error
    except ValueError as error:  # minio's word for a bucket name that cannot be
        raise InvalidError(f"{url[:200]!r}: {error}", path="path") from error
