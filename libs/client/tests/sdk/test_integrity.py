"""Downloads are held against what was signed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard import Client
from modelyard.api.integrity import PUBLIC_KEY
from modelyard.cli import main
from modelyard.errors import DownloadError
from modelyard_platform.manifests import Signer, new_private_key

Write = Callable[[dict[str, str]], Path]


def test_a_download_is_verified_with_the_servers_key_or_ones_own(
    client: Client, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"model/weights.txt": "1 2 3", "model/.gitignore": "*.tmp"})
    client.models.create(write({"model.yml": "name: line\npath: model\n"}))
    target = client.models.download("line", target=tmp_path / "own")
    assert (target / "model/weights.txt").read_text() == "1 2 3"

    (tmp_path / "theirs.pub").write_text(Signer(new_private_key()).public_key)
    monkeypatch.setenv(PUBLIC_KEY, str(tmp_path / "theirs.pub"))
    with pytest.raises(DownloadError, match=r"models/line/versions/1 is refused: its manifest is signed with the key"):
        client.models.download("line", target=tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    client.models.download("line", target=tmp_path / "unverified", verify=False)

    (tmp_path / "ours.pub").write_text(client.signing_key()["public_key"])
    monkeypatch.setenv(PUBLIC_KEY, str(tmp_path / "ours.pub"))
    client.models.download("line", target=tmp_path / "verified")
    monkeypatch.setenv(PUBLIC_KEY, str(tmp_path / "nowhere.pub"))
    with pytest.raises(DownloadError, match="holds no public key"):
        client.models.download("line", target=tmp_path / "verified")


def test_the_official_tool_verifies_what_the_command_line_downloads(
    client: Client, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"model/a/weights.txt": "1 2 3", "model/a-b.txt": "4"})
    client.models.create(write({"model.yml": "name: line\npath: model\n"}))
    monkeypatch.setenv("MODELYARD_URL", client.url)
    monkeypatch.setenv("MODELYARD_TOKEN", "the-owners-token")
    signature, key = tmp_path / "line.sig", tmp_path / "key.pub"
    assert main(["model", "download", "-n", "line", "-v", "1", "-p", str(tmp_path), "--signature", str(signature)]) == 0
    key.write_text(client.signing_key()["public_key"])
    command = [
        sys.executable,
        "-m",
        "model_signing",
        "verify",
        "key",
        "--signature",
        str(signature),
        "--public_key",
        str(key),
    ]
    done = subprocess.run([*command, str(tmp_path / "line")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
