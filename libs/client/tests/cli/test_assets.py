import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.client.tests.conftest import Platform

from modelyard import Client
from modelyard.cli import main

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]


def test_a_models_life(environment: Platform, write: Write, capsys: Capture, tmp_path: Path) -> None:
    write({"clf/model.pkl": "p", "model.yml": "name: m\npath: clf\ntags: {team: a}\n"})
    assert main(["model", "create", "-f", "model.yml", "--set", "tags.team=b", "description=1e-3", "-o", "json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["version"], made["tags"], made["description"]) == ("1", {"team": "b"}, "1e-3")
    assert main(["model", "create", "--name", "m", "--path", "clf", "--version", "7", "-g", "rg", "-w", "ws"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["version"] == "7"
    assert "--resource-group, --workspace-name means nothing here" in captured.err

    assert main(["model", "set-alias", "-n", "m", "-v", "1", "--alias", "champion", "--reason", "the only one"]) == 0
    capsys.readouterr()
    for arguments, said in (
        (["show", "-n", "m", "-l", "champion", "--query", "version", "-o", "tsv"], "1\n"),
        (["show", "-n", "m", "--query", "[name, version, archived]", "-o", "tsv"], "m\n7\nfalse\n"),
        (["list", "--query", "[].{n: name, v: version, a: archived, t: tags}", "-o", "tsv"], "m\t7\tFalse\t\n"),
        (["list", "--name", "m", "--query", "[?tags.team=='b'].version", "-o", "tsv"], "1\n"),
        (["show", "-n", "m", "--query", "nothing", "-o", "tsv"], ""),
        (["show", "-n", "m", "--query", "{v: version}", "-o", "yaml"], "v: '7'\n"),
    ):
        assert main(["model", *arguments]) == 0
        assert capsys.readouterr().out == said
    assert main(["model", "list", "-n", "m", "-o", "table"]) == 0
    heading, rule, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "version", "type", "aliases", "stage", "created", "by", "created", "at"]
    assert set(rule) == {"-", " "}
    assert (first.split()[:2], second.split()[:4]) == (["m", "7"], ["m", "1", "champion", "user:owner"])

    assert main(["model", "download", "-n", "m", "-v", "1", "-p", "got"]) == 0
    assert (tmp_path / "got/m/clf/model.pkl").read_text() == "p"
    assert main(["model", "archive", "-n", "m", "-v", "7"]) == 0
    assert main(["model", "restore", "-n", "m", "-v", "7"]) == 0
    assert main(["model", "delete", "-n", "m", "-v", "7"]) == 2
    assert "say --yes" in capsys.readouterr().err
    assert main(["model", "delete", "-n", "m", "-v", "7", "--yes"]) == 0
    assert main(["model", "show", "-n", "m", "-v", "7"]) == 1
    assert capsys.readouterr().err == "modelyard: models has no 'm:7'; versions that exist: 1\n"


def test_who_is_asked_may_say_no(
    environment: Platform, write: Write, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    write({"d/file": "x", "data.yml": "name: d\npath: d\n"})
    assert main(["data", "create", "--file", "data.yml"]) == 0
    for answer, status in (("n\n", 1), ("y\n", 0)):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        assert main(["data", "delete", "-n", "d", "-v", "1"]) == status
    assert "Delete d:1 for good? (y/n)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: m\nnmae: x\npath: clf\n", "model.yml:2:1: nmae: unknown key `nmae`"),
        ("name: m\npath: nowhere\n", "model.yml:2:7: path: "),
        ("path: clf\n", "name: `name` is missing"),
        ("name: [\n", "model.yml:2:1: "),
        ("name: m\npath: {{FOLDER}}\n", "FOLDER"),
        ("", "the file is empty"),
    ],
)
def test_a_bad_file_says_where_and_nothing_is_stored(
    environment: Platform, write: Write, capsys: Capture, text: str, said: str
) -> None:
    write({"clf/model.pkl": "p", "model.yml": text})
    assert main(["model", "create", "-f", "model.yml"]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    with Client() as client:
        assert client.models.list() == []


def test_what_the_service_refuses_is_told(environment: Platform, write: Write, capsys: Capture) -> None:
    job = "type: command\ncommand: echo\nenvironment: {image: x}\ninputs:\n  data:\n    path: azureml:flights:1\n"
    write({"job.yml": job})
    assert main(["job", "create", "-f", "job.yml"]) == 1
    error = capsys.readouterr().err
    assert "flights" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["model", "create"],
        ["model", "create", "-f", "missing.yml"],
        ["model", "list", "--query", "[?"],
        ["model", "update", "-n", "m", "--set", "tags"],
        ["model", "card", "edit", "-n", "m", "-v", "1"],
        ["model", "card", "edit", "-n", "m", "--section", "limitations"],
        ["online-deployment", "update", "-n", "blue"],
        ["schedule", "update", "-n", "s"],
        ["workspace", "create"],
        ["promotion", "request", "--model", "m", "--candidate", "1", "--criterion", "x", "--evidence", "missing.json"],
        ["online-endpoint", "update", "-n", "e", "--traffic", "blue:90"],
        ["online-endpoint", "invoke", "-n", "e", "--request-file", "missing.json"],
        ["why", "flight-delay"],
        ["apply", "-f", "missing"],
    ],
)
def test_bad_input_is_exit_status_2_and_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture, arguments: list[str]
) -> None:
    monkeypatch.setenv("MODELYARD_URL", "http://127.0.0.1:9")  # nobody is asked
    monkeypatch.setenv("MODELYARD_TOKEN", "t")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error
    assert "Traceback" not in error
    assert "unexpected" not in error


def test_without_a_modelyard_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    monkeypatch.delenv("MODELYARD_URL", raising=False)
    monkeypatch.delenv("MODELYARD_TOKEN", raising=False)
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "none"))
    assert main(["model", "list"]) == 1
    assert "start one with `modelyard up`" in capsys.readouterr().err


def test_a_folder_is_applied_and_applied_again(environment: Platform, write: Write, capsys: Capture) -> None:
    write(
        {
            "specs/a-trigger.yml": "type: trigger\nname: t\non: {type: drift.detected}\ncreate_job: job.yml\n",
            "specs/job.yml": "type: command\ncommand: echo\ncode: src\nenvironment: azureml:e@latest\n",
            "specs/src/run.py": "1",
            "specs/conda.yml": "name: x\nchannels: [conda-forge]\ndependencies: [python=3.11]\n",
            "specs/environment.yml": "name: e\nimage: x\nconda_file: conda.yml\n",
            "specs/model.yml": "name: m\ntype: custom_model\npath: clf\n",
            "specs/clf/model.pkl": "p",
            "specs/.hidden/bad.yml": "nonsense: [",
        }
    )
    results = []
    for _ in range(2):
        assert main(["apply", "-f", "specs", "-o", "json"]) == 0
        results.append([(row["what"], row["result"]) for row in json.loads(capsys.readouterr().out)])
    assert results[0] == [("environment", "registered"), ("model", "registered"), ("trigger", "in place")]
    assert results[1] == [("environment", "unchanged"), ("model", "unchanged"), ("trigger", "in place")]

    write({"specs/clf/model.pkl": "another", "specs/bad.yml": "name: d\ntype: uri_file\npth: x\n"})
    assert main(["apply", "-f", "specs"]) == 2
    assert "bad.yml:3:1: pth: unknown key" in capsys.readouterr().err
    with Client() as client:
        assert client.models.get("m")["version"] == "1"
