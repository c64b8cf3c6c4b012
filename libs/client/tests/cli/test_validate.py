import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.cli import main

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]

FILES = {
    "specs/model.yml": "name: m\npath: clf\ntype: custom_model\n",
    "specs/clf/model.pkl": "p",
    "specs/bad.YAML": "name: d\ntype: uri_folder\npath: clf\ndescriptio: x\n",
    "specs/empty.yml": "# nothing\n",
    "specs/template.yml": "name: {{NAME}}\npath: x\n",
    "specs/conda.yml": "name: x\nchannels: [conda-forge]\ndependencies: [python=3.11]\n",
    "specs/spark.yml": "type: spark\nname: s\n",
}


@pytest.fixture
def folder(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write(FILES)
    monkeypatch.chdir(tmp_path)
    for name in ("MODELYARD_URL", "MODELYARD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "no-stack"))
    return tmp_path / "specs"


def test_a_folder_is_checked_without_a_server(folder: Path, capsys: Capture) -> None:
    assert main(["validate", "specs", "-o", "json"]) == 2
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert set(found[0]) == {"path", "kind", "name", "status", "detail", "ignored_keys"}
    assert {Path(one["path"]).name: one["status"] for one in found} == {
        "model.yml": "ok",
        "bad.YAML": "error",
        "empty.yml": "empty",
        "template.yml": "template",
        "conda.yml": "other",
        "spark.yml": "unsupported",
    }
    assert captured.err.splitlines()[-1] == "modelyard: 1 of 6 files has an error"
    (folder / "bad.YAML").unlink()
    assert main(["validate", "specs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert any(line.startswith("ok ") and "specs/model.yml: model m" in line for line in lines)


def test_an_error_says_where_and_what_is_meant(folder: Path, capsys: Capture) -> None:
    assert main(["validate", "specs/bad.YAML"]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("error  specs/bad.YAML:4:1: descriptio: unknown key `descriptio`")
    assert "did you mean `description`?" in captured.out
    assert main(["validate", "nowhere.yml"]) == 2
    assert "nowhere.yml" in capsys.readouterr().out


def test_a_job_is_validated_offline(folder: Path, capsys: Capture) -> None:
    (folder / "job.yml").write_text("command: echo ${{inputs.a}}\nenvironment: {image: x}\n")
    assert main(["job", "validate", "-f", "specs/job.yml"]) == 2
    assert "inputs.a" in capsys.readouterr().err
    assert (
        main(["job", "validate", "-f", "specs/job.yml", "--set", "inputs.a=1", "--query", "result", "-o", "tsv"]) == 0
    )
    assert capsys.readouterr().out == "Succeeded\n"


def test_no_client_is_loaded(folder: Path) -> None:
    program = (
        "import sys\nfrom modelyard.cli import main\nmain(['validate', 'specs/model.yml'])\n"
        "print([name for name in ('httpx', 'modelyard.client', 'modelyard.stack', 'psutil') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder.parent
    )
    assert done.stdout.splitlines()[-1] == "[]"
