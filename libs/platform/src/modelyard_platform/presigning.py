"""Requests to the S3 server that somebody without its keys may send: one blob, one way, for some minutes.

AWS Signature Version 4, in headers (source: AWS, "Authenticating Requests: Using the Authorization Header"). The signature of a PUT
covers the body's length and sha256, so the S3 server itself refuses other bytes. The digest is said twice because servers differ in
which one they hold the body against: SeaweedFS checks only `x-amz-checksum-sha256`, the MinIO gateway only `x-amz-content-sha256`.
In a URL alone it could not be said at all: there the SDKs leave the body unsigned, and servers disagree on what else it may be.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from modelyard_platform.objects import key_of
from modelyard_platform.settings import StoreSettings

REGION: Final = "us-east-1"
HOLDS_S: Final = 15 * 60
"""How long S3 servers accept a signature."""

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Presigned:
    """Where to send a request, and the headers that have to go with it as they are."""

    url: str
    headers: dict[str, str]


class Presigner:
    """Signs for the object store, as its clients see it at `url`."""

    def __init__(self, url: str, settings: StoreSettings) -> None:
        parts = urlsplit(url)
        self._origin, self._host = f"{parts.scheme}://{parts.netloc}", parts.netloc
        self._bucket = settings.s3_bucket
        self._access_key = settings.s3_access_key
        self._secret_key = settings.s3_secret_key

    def put(self, digest: str, size: int, *, now: datetime | None = None) -> Presigned:
        """To store this blob: exactly these bytes. `now`: from when on it holds."""
        checksum = base64.b64encode(bytes.fromhex(digest)).decode()
        headers = {"content-length": str(size), "x-amz-checksum-sha256": checksum, "x-amz-content-sha256": digest}
        return self._signed("PUT", digest, headers, now or datetime.now(UTC))

    def get(self, digest: str, *, now: datetime | None = None) -> Presigned:
        """To read this blob, whole or by `Range`."""
        return self._signed("GET", digest, {"x-amz-content-sha256": _EMPTY}, now or datetime.now(UTC))

    def _signed(self, method: str, digest: str, headers: dict[str, str], now: datetime) -> Presigned:
        path = quote(f"/{self._bucket}/{key_of(digest)}", safe="/~")
        day, at = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
        scope = f"{day}/{REGION}/s3/aws4_request"
        signed = {**headers, "host": self._host, "x-amz-date": at}
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        request = f"{method}\n{path}\n\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
        to_sign = f"{_ALGORITHM}\n{at}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = _hmac(self._key(day), to_sign).hex()
        authorization = (
            f"{_ALGORITHM} Credential={self._access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return Presigned(self._origin + path, {**headers, "x-amz-date": at, "authorization": authorization})

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self._secret_key.get_secret_value()}".encode()
        for part in (day, REGION, "s3", "aws4_request"):
            key = _hmac(key, part)
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
