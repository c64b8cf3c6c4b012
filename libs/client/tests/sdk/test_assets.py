import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from libs.client.tests.conftest import TOKEN, Platform

from modelyard import Client, ModelyardError
from modelyard.errors import DownloadError, NotConfiguredError, UnreachableError, UploadError
from modelyard_specs import SpecError

Write = Callable[[dict[str, str]], Path]


def paths(client: Client, name: str) -> list[str]:
    return [file["path"] for file in client.models.files(name)["files"]]


def test_versions_are_registered_found_labelled_and_deleted(client: Client, write: Write, tmp_path: Path) -> None:
    spec = write({"model/weights.bin": "w", "model/sub/labels.txt": "a\nb\n", "model.yml": "name: m\npath: model\n"})
    first = client.models.create(spec)
    second = client.models.create({"name": "m", "path": str(tmp_path / "model")}, tags={"team": "flights"})
    assert (first["version"], second["version"]) == ("1", "2")
    assert first["tree"] == second["tree"]
    assert [one["version"] for one in client.models.list("m")] == ["2", "1"]
    assert [one["version"] for one in client.models.list(tags={"team": "flights"})] == ["2"]
    assert client.models.get("m")["version"] == "2"

    assert client.models.set_alias("m", "champion", "1")["aliases"] == ["champion"]
    assert client.models.get("m", label="champion")["version"] == "1"
    client.models.remove_alias("m", "champion")
    assert client.models.update("m", "1", stage="staging")["stage"] == "staging"

    client.models.archive("m")
    assert client.models.get("m")["version"] == "1"
    assert client.models.restore("m", "2")["archived"] is False
    assert client.models.archive_all("m")["versions"] == ["1", "2"]
    assert client.models.list("m") == []
    assert client.models.restore_all("m")["versions"] == ["1", "2"]
    client.models.delete("m", "2")
    with pytest.raises(ModelyardError) as refused:
        client.models.get("m", "2")
    assert (refused.value.status, refused.value.code) == (404, "asset_not_found")
    assert "versions that exist: 1" in refused.value.detail


def test_a_model_keeps_its_folders_name_unless_it_is_an_mlflow_model(client: Client, write: Write) -> None:
    write({"clf/model.pkl": "p", "ml/MLmodel": "flavors: {}", "ml/model.pkl": "p", "one.onnx": "o"})
    client.models.create(write({"a.yml": "name: folder\npath: clf\n"}))
    client.models.create(write({"b.yml": "name: mlflow\ntype: mlflow_model\npath: ml\n"}))
    client.models.create(write({"c.yml": "name: file\npath: one.onnx\n"}))
    assert paths(client, "folder") == ["clf/model.pkl"]
    assert paths(client, "mlflow") == ["MLmodel", "model.pkl"]
    assert paths(client, "file") == ["one.onnx"]


def test_code_leaves_out_what_its_ignore_file_names(client: Client, write: Write) -> None:
    code = {
        "run.py": "1",
        "big.csv": "x",
        "keep.csv": "k",
        "cache/x": "x",
        "__pycache__/run.pyc": "b",
        ".git/HEAD": "h",
    }
    write({f"git/{name}": content for name, content in code.items()} | {"git/.gitignore": "*.csv\n!keep.csv\ncache/\n"})
    write({f"aml/{name}": content for name, content in code.items()})
    write({"aml/.gitignore": "*.py\n", "aml/.amlignore": ".*ignore\nbig.csv\n"})
    component = "name: {0}\ntype: command\ncode: {0}\nenvironment: azureml:e:1\ncommand: python run.py\n"
    found = {}
    for name in ("git", "aml"):
        spec = client.components.create(write({f"{name}.yml": component.format(name)}))["spec"]
        digest = spec["code"].rpartition("/")[2]
        answer = httpx.get(f"{client.url}/api/v1/blobs/{digest}", headers={"Authorization": f"Bearer {TOKEN}"})
        found[name] = [file["path"] for file in answer.json()["files"]]
    assert found == {"git": [".gitignore", "keep.csv", "run.py"], "aml": ["cache/x", "keep.csv", "run.py"]}


def test_a_folder_of_many_files_comes_back_as_it_was(client: Client, write: Write, tmp_path: Path) -> None:
    names = {f"in/{index % 7}/{index}.txt": str(index) for index in range(70)}
    write(names)
    client.data.create(write({"data.yml": "name: many\npath: in\n"}))
    target = client.data.download("many", target=tmp_path / "out")
    assert {str(path.relative_to(target)) for path in target.rglob("*.txt")} == {name[3:] for name in names}
    assert (target / "3/10.txt").read_text() == "10"

    changed = (target / "0/0.txt", target / "1/1.txt")
    untouched = target / "2/2.txt"
    before = untouched.stat().st_mtime_ns
    changed[0].write_text("damaged")
    changed[1].unlink()
    client.data.download("many", target=target)
    assert [path.read_text() for path in changed] == ["0", "1"]
    assert untouched.stat().st_mtime_ns == before
    assert not list(target.rglob(".part-*"))


def test_a_download_stays_in_its_folder(client: Client, write: Write, tmp_path: Path) -> None:
    client.data.create(write({"in/sub/file": "x", "data.yml": "name: d\npath: in\n"}))
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    target.mkdir()
    (target / "sub").symlink_to(outside)
    with pytest.raises(DownloadError, match="link that leads out"):
        client.data.download("d", target=target)
    assert not list(outside.iterdir())
    for path in ("../file", "/tmp/file", "a/../../file", "a\\b"):
        with pytest.raises(DownloadError):
            client.specs.trees.download([{"path": path, "sha256": "0" * 64, "size": 1}], target)


def test_what_cannot_be_sent_is_refused_and_nothing_is_stored(client: Client, write: Write, tmp_path: Path) -> None:
    write({"secret": "s", "in/file": "x"})
    (tmp_path / "empty").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(UploadError, match="leads out"):
        client.data.create(write({"a.yml": "name: d\npath: in\n"}))
    with pytest.raises(UploadError, match="no files"):
        client.data.create(write({"b.yml": "name: d\npath: empty\n"}))
    with pytest.raises(SpecError, match="does not exist"):
        client.data.create(write({"c.yml": "name: d\npath: nowhere\n"}))
    with pytest.raises(SpecError, match="name"):
        client.data.create({"path": str(tmp_path / "secret")})
    client.data.create({"name": "d", "version": "1", "path": str(tmp_path / "secret")})
    with pytest.raises(ModelyardError, match="content cannot change"):
        client.data.create({"name": "d", "version": "1", "path": str(tmp_path / "secret")})
    assert [one["version"] for one in client.data.list("d")] == ["1"]


def test_versions_registered_while_services_restart_exist_once(
    platform: Platform, client: Client, write: Write
) -> None:
    write({"model/w": "w"})
    spec = write({"model.yml": "name: m\npath: model\n"})
    versions, stop = [], threading.Event()

    def register() -> None:
        while not stop.is_set():
            versions.append(client.models.create(spec)["version"])

    def restart() -> None:
        for service in (platform.gateway, platform.registry, platform.gateway):
            seen = len(versions)
            while len(versions) < seen + 3 and threads[0].is_alive():
                stop.wait(0.02)
            service.stop()
            stop.wait(0.3)
            service.start()
        seen = len(versions)
        while len(versions) < seen + 3 and threads[0].is_alive():
            stop.wait(0.02)
        stop.set()

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    restart()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    there = [one["version"] for one in client.models.list("m")]
    assert sorted(map(int, versions)) == list(range(1, len(versions) + 1))
    assert sorted(there) == sorted(versions)


def test_a_request_is_not_repeated_for_ever(platform: Platform, tmp_path: Path) -> None:
    with (
        Client("http://127.0.0.1:9", TOKEN, retry_s=0.3) as client,
        pytest.raises(UnreachableError, match="does not answer"),
    ):
        client.models.list()
    with Client(platform.url, TOKEN, retry_s=0.3) as client:
        with pytest.raises(ModelyardError, match="serving does not answer") as refused:
            client.endpoints.list()
        assert refused.value.status == 503
        with pytest.raises(ModelyardError) as unknown:
            client.models.get("nothing")
        assert unknown.value.status == 404
    with Client(platform.url, "guess") as client, pytest.raises(ModelyardError) as unauthenticated:
        client.whoami()
    assert unauthenticated.value.status == 401


def test_a_body_that_is_no_json_is_refused_as_a_whole(platform: Platform) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    answer = httpx.post(f"{platform.url}/api/v1/models", content=b'{"spec": ', headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["path"]) == (400, "body")
    assert problem["detail"].startswith("body: this is no JSON")


def test_where_modelyard_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MODELYARD_URL", "MODELYARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "none"))
    with pytest.raises(NotConfiguredError, match="modelyard up"):
        Client()
    assert not any(tmp_path.iterdir())
    with pytest.raises(NotConfiguredError, match="MODELYARD_TOKEN"):
        Client("http://127.0.0.1:9")
    monkeypatch.setenv("MODELYARD_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("MODELYARD_TOKEN", "t")
    with Client() as client:
        assert client.url == "http://127.0.0.1:9"
