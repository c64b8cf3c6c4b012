"""Files in and out, on two S3 servers, straight to them and through the gateway, with what can go wrong on the way."""

import contextlib
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from libs.client.tests.conftest import TOKEN, Platform, Servers

from modelyard import Client, ModelyardError
from modelyard.errors import DownloadError, UploadError
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import StoreSettings
from modelyard_platform.trees import PART, describe
from modelyard_testing.plugin import Bucket
from modelyard_testing.wire import Wire, wire

Write = Callable[[dict[str, str]], Path]


@pytest.fixture
def s3(every_bucket: Bucket) -> Iterator[Wire]:
    with wire(every_bucket.url) as made:
        yield made


@pytest.fixture
def bucket(every_bucket: Bucket, s3: Wire) -> Bucket:
    return replace(every_bucket, url=s3.url)


@pytest.fixture
def store(servers: Servers) -> ObjectStore:
    return ObjectStore(StoreSettings(**{key: value for key, value in servers.common.items() if key.startswith("s3_")}))


@pytest.fixture(params=["direct", "gateway"])
def public_url(request: pytest.FixtureRequest, bucket: Bucket) -> str:
    return bucket.url if request.param == "direct" else ""


@pytest.fixture
def patient(platform: Platform) -> Iterator[Client]:
    """A client that soon gives up."""
    with Client(platform.url, TOKEN, retry_s=1) as client:
        yield client


def test_files_of_every_size_come_back_as_they_were(client: Client, tmp_path: Path) -> None:
    sizes = {"empty": 0, "small": 7, "part": PART, "sub/large": 2 * PART + 5}
    for name, size in sizes.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(os.urandom(size))
    client.data.create({"name": "d", "path": str(tmp_path / "in")})
    target = client.data.download("d", target=tmp_path / "out")
    assert describe(target) == describe(tmp_path / "in")
    assert {file["path"]: len(file.get("parts", ())) for file in client.data.files("d")["files"]} == {
        "empty": 0,
        "small": 0,
        "part": 0,
        "sub/large": 3,
    }


def test_an_upload_during_which_s3_goes_away(
    client: Client, patient: Client, s3: Wire, store: ObjectStore, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(6 * PART))
    (described,) = describe(file).files
    s3.cut_after = s3.sent + 3 * PART + PART // 2
    with pytest.raises(ModelyardError, match="object store does not answer") as away:
        patient.data.create({"name": "d", "path": str(file)})
    assert away.value.status == 503
    assert client.data.list() == []

    s3.mend()
    there = store.sizes(described.parts)
    before = s3.sent
    client.data.create({"name": "d", "path": str(file)})
    missing = 6 * PART - sum(there.values())
    assert missing <= s3.sent - before < missing + PART // 2
    before = s3.sent
    assert client.data.create({"name": "d", "path": str(file)})["version"] == "2"
    assert s3.sent - before < PART // 2


def test_a_download_during_which_s3_goes_away(client: Client, patient: Client, s3: Wire, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(2 * PART))
    client.data.create({"name": "d", "path": str(file)})
    s3.cut()
    with pytest.raises(ModelyardError, match="object store does not answer"):
        patient.data.download("d", target=tmp_path / "out")
    assert not (tmp_path / "out" / "large").exists()
    s3.mend()
    client.data.download("d", target=tmp_path / "out")
    assert (tmp_path / "out" / "large").read_bytes() == file.read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["large"]


def test_a_file_that_changes_on_the_way_is_not_registered(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * (PART + 1))
    writer = "import sys, time\nwhile True:\n open(sys.argv[1], 'ab').write(b'y')\n"
    process = subprocess.Popen([sys.executable, "-c", writer, str(file)])
    try:
        size = file.stat().st_size
        while file.stat().st_size == size:
            assert process.poll() is None
        with pytest.raises(UploadError, match="changed while it was read"):
            client.data.create({"name": "d", "path": str(file)})
    finally:
        process.kill()
        process.wait()
    assert client.data.list() == []


def test_what_the_server_says_of_a_file_is_not_believed(client: Client, store: ObjectStore, tmp_path: Path) -> None:
    digest = store.put_bytes(b"the truth")
    lie = {"path": "file", "sha256": digest, "size": 10}
    with pytest.raises(DownloadError, match="fewer than the 10 bytes"):
        client.specs.trees.download([lie], tmp_path / "out")
    with pytest.raises(ModelyardError, match="there is no blob"):
        client.specs.trees.download([lie | {"sha256": "0" * 64}], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_command_line_does_not_load_the_s3_client() -> None:
    code = "import sys, modelyard.api.trees; print('minio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_who_waits_at_a_terminal_sees_bytes_and_rate(environment: Platform, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(2 * PART))
    (tmp_path / "data.yml").write_text("name: d\npath: large\n")
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "modelyard.cli", "data", "create", "-f", "data.yml"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
            while part := os.read(terminal, 1 << 16):
                seen += part
    os.close(terminal)
    assert process.returncode == 0
    assert b"uploading large" in seen
    assert b"/33.6 MB" in seen
    assert b"MB/s" in seen
