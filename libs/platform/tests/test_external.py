"""Data outside: what is recorded, what a change does, and which addresses are never read."""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from minio import Minio
from pydantic import SecretStr

from modelyard_platform.errors import (
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PlatformError,
    TooLargeError,
    UnavailableError,
)
from modelyard_platform.external import ExternalChangedError, ExternalStore, is_external
from modelyard_platform.external.addresses import checked_addresses, is_public
from modelyard_platform.settings import ExternalSettings, NodeSettings
from modelyard_testing.plugin import Bucket
from modelyard_testing.web import Page, WebServer, serving


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


def reader(**settings: Any) -> ExternalStore:
    return ExternalStore(ExternalSettings(**({"external_hosts": ("127.0.0.1",)} | settings)))


def test_a_strong_etag_is_recorded_without_reading_the_file(web: WebServer) -> None:
    web.pages["/a.csv"] = Page(b"x\n1\n", etag='"v1"')
    found = reader().look(web.url("/a.csv"))
    assert (found.etag, found.size, found.sha256) == ('"v1"', 4, None)
    assert web.asked == ["HEAD /a.csv"]
    assert reader().check(found).etag == '"v1"'

    web.pages["/a.csv"] = Page(b"x\n1\n2\n", etag='"v2"')
    with pytest.raises(ExternalChangedError) as changed:
        reader().check(found)
    assert '"v1", 4 bytes' in changed.value.detail
    assert '"v2", 6 bytes' in changed.value.detail


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_etag_the_digest_counts(web: WebServer, etag: str | None, tmp_path: Path) -> None:
    web.pages["/a.csv"] = Page(b"x\n1\n", etag=etag, head=False)
    found = reader().look(web.url("/a.csv?sig=secret"))
    assert found.sha256 is not None
    for _ in range(2):  # a second attempt finds what the first one left
        reader().download(found, tmp_path / "in")
    assert (tmp_path / "in" / "a.csv").read_bytes() == b"x\n1\n"

    web.pages["/a.csv"] = Page(b"x\n9\n", etag='"strong by now"')
    for use in (reader().check, lambda recorded: reader().download(recorded, tmp_path / "again")):
        with pytest.raises(ExternalChangedError) as changed:
            use(found)
        assert "secret" not in changed.value.detail
    assert not (tmp_path / "again").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"],
)  # fmt: skip
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "2130706433", "127.1"])
def test_this_machine_is_refused_however_it_is_written(web: WebServer, host: str) -> None:
    with pytest.raises(ForbiddenError) as refused:
        reader(external_hosts=()).look(web.url("/a.csv", host))
    assert refused.value.code == "external_forbidden"
    assert web.asked == []


def test_what_was_checked_is_what_is_connected_to(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that means another machine a moment later (DNS rebinding): it is looked up once, so the second answer is never seen."""
    answers = iter(["127.0.0.1", "127.0.0.2"])
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **more: Any) -> list[Any]:
        return real(next(answers) if host == "rebinding.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    web.pages["/a.csv"] = Page(b"1", etag='"v"')
    found = reader(external_hosts=("rebinding.example",)).look(web.url("/a.csv", "rebinding.example"))
    assert found.etag == '"v"'
    assert next(answers) == "127.0.0.2"


def test_one_private_address_of_several_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    def several(host: str, port: int, **_: Any) -> list[Any]:
        addresses = ("8.8.8.8", "192.168.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    with pytest.raises(ForbiddenError, match=r"192\.168\.0\.1"):
        checked_addresses("mixed.example", 80, ())


def test_a_redirect_is_checked_like_the_first_address(web: WebServer) -> None:
    web.pages["/ok"] = Page(location="/a.csv")
    web.pages["/a.csv"] = Page(b"1", etag='"v"')
    web.pages["/inside"] = Page(location=f"http://localhost:{web.port}/a.csv")
    web.pages["/file"] = Page(location="file:///etc/passwd")
    web.pages["/loop"] = Page(location="/loop")
    assert reader().look(web.url("/ok")).etag == '"v"'
    web.asked.clear()
    with pytest.raises(ForbiddenError):
        reader().look(web.url("/inside"))
    assert web.asked == ["HEAD /inside"]
    for path in ("/file", "/loop"):
        with pytest.raises(InvalidError):
            reader().look(web.url(path))


def test_sizes_are_bounded(web: WebServer, tmp_path: Path) -> None:
    web.pages["/big"] = Page(b"x" * 2000)
    web.pages["/lie"] = Page(b"x" * 10, length=2000)
    with pytest.raises(TooLargeError):
        reader(external_digest_bytes=1000).look(web.url("/big"))
    found = reader().look(web.url("/big"))
    with pytest.raises(TooLargeError):
        reader(external_max_bytes=1000).download(found, tmp_path / "in")
    with pytest.raises(UnavailableError, match="broke off"):
        reader().look(web.url("/lie"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://user:pw@127.0.0.1/a", InvalidError),
        ("http://127.0.0.1:99999/a", InvalidError),
        ("http://127.0.0.1/a b", InvalidError),
        ("http:///a", InvalidError),
        ("http://no-such-host.invalid/a", InvalidError),
        ("http://127.0.0.1:9/a", UnavailableError),
        ("s3://bucket/key", ForbiddenError),
        ("file:///etc/passwd", ForbiddenError),
        ("file://other/etc/passwd", InvalidError),
    ],
)
def test_bad_addresses_are_told_apart(url: str, error: type[PlatformError]) -> None:
    with pytest.raises(error) as refused:
        reader().look(url)
    assert "pw" not in refused.value.detail


def test_what_is_missing_or_broken_there_is_said(web: WebServer) -> None:
    web.pages["/broken"] = Page(status=500)
    with pytest.raises(NotFoundError):
        reader().look(web.url("/nothing"))
    with pytest.raises(UnavailableError):
        reader().look(web.url("/broken"))


def test_addresses_of_other_clouds_are_kept_with_a_note() -> None:
    found = reader().look("wasbs://c@a.blob.core.windows.net/x.csv")
    assert not found.checked
    assert "not checked" in (found.note or "")
    assert reader().check(found) == found
    assert is_external("abfss://x@y/z")
    assert not is_external("modelyard://trees/0")
    assert not is_external("./x")


def test_files_are_read_below_the_named_folders_only(tmp_path: Path) -> None:
    shared, private = tmp_path / "shared", tmp_path / "private"
    for folder in (shared / "table", private):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x\n1\n")
    (shared / "escape").symlink_to(private / "a.csv")
    store = reader(external_folders=(shared,))
    found = store.look(f"file://{shared}/table/a.csv")
    assert found.size == 4
    for path in (private / "a.csv", shared / "escape", shared / ".." / "private" / "a.csv"):
        with pytest.raises(ForbiddenError):
            store.look(f"file://{path}")
    with pytest.raises(ForbiddenError):
        store.look(f"file://{shared}/%2e%2e/private/a.csv")
    with pytest.raises(InvalidError, match="link"):
        store.look(f"file://{shared}")

    table = store.look(f"file://{shared}/table")
    store.download(table, tmp_path / "in")
    assert (tmp_path / "in" / "a.csv").read_text() == "x\n1\n"
    (shared / "table" / "b.csv").write_text("x\n2\n")
    assert store.check(found).sha256 == found.sha256
    uses: list[Callable[[], object]] = [lambda: store.check(table), lambda: store.download(table, tmp_path / "again")]
    for use in uses:
        with pytest.raises(ExternalChangedError):
            use()


def test_objects_and_prefixes_of_s3(bucket: Bucket, tmp_path: Path) -> None:
    url = urlsplit(bucket.url)
    client = Minio(url.netloc, access_key=bucket.access_key, secret_key=bucket.secret_key, secure=False)

    def put(key: str, data: bytes) -> None:
        (tmp_path / "source").write_bytes(data)
        client.fput_object(bucket.name, key, str(tmp_path / "source"))

    put("t/a.csv", b"x\n1\n")
    put("t/deep/b.csv", b"x\n2\n")
    store = reader(
        external_s3_url=bucket.url,
        external_s3_access_key=bucket.access_key,
        external_s3_secret_key=SecretStr(bucket.secret_key),
    )
    one, all_ = store.look(f"s3://{bucket.name}/t/a.csv"), store.look(f"s3://{bucket.name}/t")
    assert one.etag
    assert (one.size, one.files, all_.size, all_.files) == (4, 1, 8, 2)
    store.download(all_, tmp_path / "in")
    assert (tmp_path / "in" / "deep" / "b.csv").read_bytes() == b"x\n2\n"
    put("t/deep/b.csv", b"x\n3\n")
    assert store.check(one).etag == one.etag
    with pytest.raises(ExternalChangedError):
        store.check(all_)
    with pytest.raises(ExternalChangedError):
        store.download(all_, tmp_path / "again")
    with pytest.raises(NotFoundError):
        store.look(f"s3://{bucket.name}/nothing")
    wrong = reader(external_s3_url=bucket.url, external_s3_access_key="x", external_s3_secret_key=SecretStr("y" * 8))
    with pytest.raises(ForbiddenError):
        wrong.look(f"s3://{bucket.name}/t/a.csv")


def test_settings_come_as_lists_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_NODE_EXTERNAL_HOSTS", "data.lan, 127.0.0.1:8080")
    monkeypatch.setenv("MODELYARD_NODE_EXTERNAL_FOLDERS", "/srv/data:/mnt")
    settings = NodeSettings()
    assert settings.external_hosts == ("data.lan", "127.0.0.1:8080")
    assert settings.external_folders == (Path("/srv/data"), Path("/mnt"))


@contextmanager
def dripping(head: bytes, rest: bytes) -> Iterator[int]:
    """A server that sends `head` at once and `rest` byte by byte, each soon enough for a reader that only waits for the next one."""
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            with suppress(OSError), listening.accept()[0] as client:
                client.recv(4096)
                client.sendall(head)
                for byte in rest:
                    if ended.wait(0.1):
                        return
                    client.sendall(bytes([byte]))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            thread.join()


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x" * 100 + b"\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"x" * 100),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n", b"x" * 100 + b"\r\n0\r\n\r\n"),
    ],
    ids=["head", "body", "until it closes", "chunk"],
)
def test_who_sends_byte_by_byte_is_not_waited_for(head: bytes, rest: bytes) -> None:
    store = reader(external_check_s=1.0)
    with dripping(head, rest) as port:
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            store.look(f"http://127.0.0.1:{port}/a")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("url", ["http://[", "https://[x/a", "s3://[/key", "file://[x/a", "wasbs://[x"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(InvalidError):
        reader().look(url)


def test_no_more_is_downloaded_than_was_recorded(web: WebServer, tmp_path: Path) -> None:
    web.pages["/a"] = Page(b"x" * 10)
    found = reader().look(web.url("/a"))
    web.pages["/a"] = Page(b"x" * (64 << 20))
    with pytest.raises(ExternalChangedError) as changed:
        reader().download(found, tmp_path / "in")
    assert changed.value.members["now"]["size"] < 8 << 20


def test_links_to_folders_are_not_followed_out(tmp_path: Path) -> None:
    shared, private = tmp_path / "shared", tmp_path / "private"
    for folder in (shared / "table" / "sub", private):
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text("x\n1\n")
    store = reader(external_folders=(shared,))
    found = store.look(f"file://{shared}/table")
    for target in (private, shared / "table"):
        (shared / "table" / "more").symlink_to(target)
        with pytest.raises(InvalidError, match="link"):
            store.download(found, tmp_path / "in")
        (shared / "table" / "more").unlink()
    (shared / "table" / "more").symlink_to(shared / "table" / "sub")
    within = store.look(f"file://{shared}/table")
    store.download(within, tmp_path / "in")
    assert (tmp_path / "in" / "more" / "a.csv").read_text() == "x\n1\n"
