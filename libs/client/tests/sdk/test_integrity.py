"""Downloads are held against what was signed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from libs.client.tests.conftest import Servers

from modelyard import Client
from modelyard.api.assets import Assets
from modelyard.api.http import Documents
from modelyard.api.integrity import PUBLIC_KEY
from modelyard.cli import main
from modelyard.errors import DownloadError, ModelyardError
from modelyard_platform.manifests import Signer, Verifier, new_private_key
from modelyard_platform.trees import Tree
from modelyard_testing.damage import flip
from modelyard_testing.stacks import eventually

Write = Callable[[dict[str, str]], Path]
CURATED = "azureml://registries/azureml/environments/sklearn-1.5"


def test_a_download_is_verified_with_the_servers_key_or_ones_own(
    client: Client, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"model/weights.txt": "1 2 3", "model/.gitignore": "*.tmp"})
    client.models.create(write({"model.yml": "name: line\npath: model\n"}))
    target = client.models.download("line", target=tmp_path / "own")
    assert (target / "model/weights.txt").read_text() == "1 2 3"

    (tmp_path / "theirs.pub").write_text(Signer(new_private_key()).public_key)
    monkeypatch.setenv(PUBLIC_KEY, str(tmp_path / "theirs.pub"))
    with pytest.raises(
        DownloadError, match=r"default/models/line/versions/1 is refused: its manifest is signed with the key"
    ):
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


SPECS = {
    "models": "name: line\npath: files\n",
    "data": "name: line\npath: files\ntype: uri_folder\n",
    "components": f"name: line\ntype: command\ncommand: cat main.txt\nenvironment: {CURATED}\ncode: files\n",
    "environments": "name: line\nbuild:\n  path: files\n",
}


@pytest.mark.parametrize("kind", SPECS)
def test_a_damaged_download_is_refused_and_told(
    client: Client, servers: Servers, write: Write, tmp_path: Path, kind: str
) -> None:
    """Whoever downloads sees what was refused, and everybody else by an event of the version."""
    assets: Assets = getattr(client, kind)
    store = servers.store
    for version, damaged in (("1", "file"), ("2", "tree"), ("3", "manifest")):
        write({"files/main.txt": version})
        made = assets.create(write({"spec.yml": SPECS[kind]}))
        assert assets.download("line", target=tmp_path / "whole").is_dir()
        (file,) = assets.files("line")["files"]
        eventually(partial(store.exists, made["manifest"]))
        flip(store, {"file": file["sha256"], "tree": made["tree"], "manifest": made["manifest"]}[damaged])
        for _ in range(2):
            with pytest.raises(DownloadError, match=f"default/{kind}/line/versions/{version} is refused") as caught:
                assets.download("line", target=tmp_path / "damaged")
            assert caught.value.code == "integrity_failed"
        assert not [path for path in (tmp_path / "damaged").rglob("*") if path.is_file()]

    def told() -> Documents:
        """In the order of the versions; what the registry itself has refused meanwhile is its own affair."""
        found = [event for event in client.events.list() if event["type"].endswith("integrity_failed")]
        return [event for event in found[::-1] if event["data"]["refused_by"] == "clients/user:owner"]

    eventually(lambda: len(told()) >= len("123"))
    assert [event["subject"] for event in told()] == [f"{kind}/line/versions/{version}" for version in "123"]
    assert {event["actor"] for event in told()} == {"user:owner"}
    assert all("is refused" in event["data"]["detail"] for event in told())


def test_what_is_stored_is_read_when_it_is_verified(
    client: Client, servers: Servers, write: Write, tmp_path: Path
) -> None:
    write({"files/main.txt": "1 2 3"})
    client.models.create(write({"spec.yml": SPECS["models"]}))
    eventually(lambda: client.models.get("line")["manifest"])
    whole = client.models.download("line", target=tmp_path / "whole")
    assert client.models.verify("line")["verified"]
    flip(servers.store, client.models.files("line")["files"][0]["sha256"])
    with pytest.raises(ModelyardError, match="default/models/line/versions/1 is refused") as caught:
        client.models.verify("line")
    assert caught.value.code == "integrity_failed"
    assert client.models.verify("line", folder=whole)["verified"], "these are not what was damaged"
    eventually(lambda: any(one["type"].endswith("integrity_failed") for one in client.events.list()))


def test_the_error_is_the_same_when_nobody_can_be_told(
    client: Client, servers: Servers, write: Write, tmp_path: Path
) -> None:
    write({"files/main.txt": "1 2 3"})
    made = client.data.create(write({"spec.yml": SPECS["data"]}))
    flip(servers.store, client.data.files("line")["files"][0]["sha256"])
    with pytest.raises(DownloadError) as unsigned:
        client.data.download("line", target=tmp_path / "out", verify=False)
    assert unsigned.value.code == "digest_mismatch", "its digest alone tells too"
    servers.execute("registry", "drop table refusals")
    with pytest.raises(DownloadError, match="is refused"):
        client.data.download("line", target=tmp_path / "out")
    assert made["manifest"] is not None


def test_what_is_shared_is_held_against_its_registrys_signature(
    client: Client, servers: Servers, write: Write, tmp_path: Path
) -> None:
    write({"files/main.txt": "1 2 3"})
    client.models.create(write({"spec.yml": SPECS["models"]}))
    client.registries.create("company")
    client.models.share("line", "1", registry="company")
    shared = client.registry("company").models
    assert (shared.download("line", target=tmp_path / "out") / "files/main.txt").read_text() == "1 2 3"
    Verifier(client.signing_key()["public_key"]).verify(
        shared.manifest("line"),
        "registries/company/models/line/versions/1",
        Tree.model_validate({"files": shared.files("line")["files"]}),
    )
    flip(servers.store, shared.files("line")["files"][0]["sha256"])
    with pytest.raises(DownloadError, match="registries/company/models/line/versions/1 is refused"):
        shared.download("line", target=tmp_path / "damaged")
