"""What the holder of a signed request may do: that one thing with those very bytes, on every S3 server."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from modelyard_platform.objects import ObjectStore
from modelyard_platform.presigning import HOLDS_S, Presigned, Presigner
from modelyard_platform.settings import StoreSettings

DATA = b"hello world" * 100
DIGEST = hashlib.sha256(DATA).hexdigest()
SHORTER = hashlib.sha256(DATA[:-5]).hexdigest()


@pytest.fixture
def presigner(store_settings: StoreSettings) -> Presigner:
    return Presigner(store_settings.s3_url, store_settings)


def send(to: Presigned, data: bytes, **headers: str) -> int:
    given = {name: value for name, value in (to.headers | headers).items() if value}
    return httpx.put(to.url, content=data, headers=given, trust_env=False).status_code


def test_the_right_bytes_are_stored_and_read(store: ObjectStore, presigner: Presigner) -> None:
    assert send(presigner.put(DIGEST, len(DATA)), DATA) == 200
    assert store.get_bytes(DIGEST) == DATA
    at = presigner.get(DIGEST)
    assert httpx.get(at.url, headers=at.headers, trust_env=False).content == DATA
    some = httpx.get(at.url, headers={**at.headers, "Range": "bytes=10-"}, trust_env=False)
    assert (some.status_code, some.content) == (206, DATA[10:])
    assert send(presigner.put(DIGEST, len(DATA)), DATA) == 200


REFUSED: dict[str, Callable[[Presigned], int]] = {
    "other bytes": lambda to: send(to, b"j" + DATA[1:]),
    "fewer bytes": lambda to: send(to, DATA[:-5], **{"content-length": str(len(DATA) - 5)}),
    "more bytes": lambda to: send(to, DATA + b"!", **{"content-length": str(len(DATA) + 1)}),
    "another digest": lambda to: send(
        to, DATA[:-5], **{"content-length": str(len(DATA) - 5), "x-amz-content-sha256": SHORTER}
    ),
    "unsigned bytes": lambda to: send(to, b"j" + DATA[1:], **{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
    "no digest": lambda to: send(to, b"j" + DATA[1:], **{"x-amz-content-sha256": "", "x-amz-checksum-sha256": ""}),
    "bytes in pieces": lambda to: send(
        to, b"j" + DATA[1:], **{"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}
    ),
}


@pytest.mark.parametrize("attempt", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused_and_nothing_is_stored(
    store: ObjectStore, presigner: Presigner, attempt: Callable[[Presigned], int]
) -> None:
    assert 400 <= attempt(presigner.put(DIGEST, len(DATA))) < 500
    assert not store.exists(DIGEST)


def test_what_is_there_stays_when_other_bytes_are_sent(store: ObjectStore, presigner: Presigner) -> None:
    store.put(DIGEST, DATA)
    assert 400 <= send(presigner.put(DIGEST, len(DATA)), b"j" + DATA[1:]) < 500
    assert store.get_bytes(DIGEST) == DATA


def test_a_request_that_breaks_off_stores_nothing(store: ObjectStore, presigner: Presigner) -> None:
    to = presigner.put(DIGEST, len(DATA))
    url = urlsplit(to.url)
    lines = [f"PUT {url.path} HTTP/1.1", f"Host: {url.netloc}", *(f"{k}: {v}" for k, v in to.headers.items()), "", ""]
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode() + DATA[:500])
        connection.shutdown(socket.SHUT_WR)
        assert not connection.recv(100).startswith(b"HTTP/1.1 2")
    assert not store.exists(DIGEST)


def test_it_holds_for_one_blob_one_method_and_some_minutes(store: ObjectStore, presigner: Presigner) -> None:
    to = presigner.put(DIGEST, len(DATA))
    other = Presigned(to.url.replace(DIGEST, SHORTER), to.headers)
    assert send(other, DATA) == 403
    with httpx.Client(trust_env=False) as client:
        assert client.request("GET", to.url, content=DATA, headers=to.headers).status_code == 403
        at = presigner.get(DIGEST)
        assert client.put(at.url, content=DATA, headers=at.headers).status_code in (400, 403)
    late = presigner.put(DIGEST, len(DATA), now=datetime.now(UTC) - timedelta(seconds=HOLDS_S + 60))
    assert send(late, DATA) in (400, 403)
    assert not store.exists(DIGEST)
    assert not store.exists(SHORTER)
