import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.client.tests.conftest import TOKEN, Platform

from modelyard import Client
from modelyard.cli import main

Write = Callable[[dict[str, str]], Path]


def completed(line: str, **environ: str) -> list[str]:
    """What a shell is answered for a line (argcomplete's protocol)."""
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    with tempfile.NamedTemporaryFile("r") as answer:
        asked["_ARGCOMPLETE_STDOUT_FILENAME"] = answer.name
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.cli"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **asked, **environ},
        )
        assert done.stdout + done.stderr == ""
        return [word.strip() for word in answer.read().split("\n") if word.strip()]


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELYARD_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("MODELYARD_TOKEN", "t")
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "none"))


def test_groups_verbs_and_flags_are_offered_without_a_server(nobody: None) -> None:
    assert "online-endpoint" in completed("modelyard onl")
    assert {"create", "show", "list", "share"} <= set(completed("modelyard model "))
    assert completed("modelyard model show --lab") == ["--label"]
    assert completed("modelyard model list -o t") == ["table", "tsv"]
    assert completed("modelyard model show -n ") == []


def test_names_come_from_the_server(platform: Platform, client: Client, write: Write) -> None:
    spec = write({"clf/model.pkl": "p", "model.yml": "name: flights\npath: clf\n"})
    client.models.create(spec)
    client.models.create(spec)
    client.models.set_alias("flights", "champion", "1")
    client.environments.create({"name": "conda", "image": "x"})
    server = {"MODELYARD_URL": platform.url, "MODELYARD_TOKEN": TOKEN}
    assert completed("modelyard model show -n fl", **server) == ["flights"]
    assert completed("modelyard model show --name flights --version ", **server) == ["2", "1"]
    assert completed("modelyard model show -n flights -l ch", **server) == ["champion"]
    assert completed("modelyard environment archive --name ", **server) == ["conda"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_ARGCOMPLETE" in script
    assert "modelyard" in script
    program = shutil.which(shell)
    if program:  # what is on this machine can say whether it understands it
        subprocess.run([program, "-n"], input=script, text=True, check=True)


def test_it_answers_before_anybody_notices(nobody: None) -> None:
    heavy = ["httpx", "pydantic", "modelyard_specs", "modelyard.client", "rich", "yaml", "psutil", "minio", "asyncio"]
    program = (
        "import os, sys\nfrom modelyard.cli import main\n"
        f"os._exit = lambda status: sys.exit([n for n in {heavy} if n in sys.modules] or 0)\n"
        "main()"
    )
    line = "modelyard model show -n "
    asked = {
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": os.devnull,
    }
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, **asked}
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert min(times) < 0.25  # seconds of a processor, half of them the interpreter's own start
