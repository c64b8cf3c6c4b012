import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.cli import main
from modelyard_testing.stacks import Stack


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_status_of_a_stack_that_never_ran(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert main(["status", "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["state"] == "stopped"
    assert document["url"] is None
    assert document["home"] == str(home)
    assert main(["status"]) == 1
    assert capsys.readouterr().out == f"{home}: stopped\n"
    assert main(["down"]) == 0
    assert capsys.readouterr().out == f"nothing runs on {home}\n"


def test_status_tells_scripts_where_everything_is(capsys: pytest.CaptureFixture[str], stack: Stack, home: Path) -> None:
    stack.up()
    assert main(["status", "--out", "json"]) == 0  # long flags may be shortened
    document = json.loads(capsys.readouterr().out)
    assert document["url"].startswith("http://127.0.0.1:")
    assert document["nats"].startswith("nats://modelyard:")
    assert document["postgres"].startswith("postgresql://postgres:")
    assert document["s3"].startswith("http://127.0.0.1:")
    assert document["token_file"] == str(home / "token")
    assert stat.S_IMODE(Path(document["token_file"]).stat().st_mode) == 0o600
    parts = {part["name"]: part for part in document["parts"]}
    assert parts.keys() == {"nats", "postgres", "s3", "database", "bucket", "streams"}
    for name in ("nats", "postgres", "s3"):
        assert parts[name]["state"] == "ready"
        assert parts[name]["pid"] > 0
        assert parts[name]["port"] > 0

    assert main(["status"]) == 0
    shown = capsys.readouterr().out
    assert str(home / "token") in shown
    assert stack.layout.secret("nats") not in shown

    assert main(["logs", "nats", "-n", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["logs"]) == 0
    assert "postgres │" in capsys.readouterr().out
    assert main(["logs", "natz"]) == 2
    assert "there are: nats, postgres, s3" in capsys.readouterr().err

    assert main(["up"]) == 1
    assert "already running" in capsys.readouterr().err
    assert main(["down"]) == 0
    assert capsys.readouterr().out == f"stopped {home}\n"
    stack.reap()
    assert main(["status"]) == 1


def test_logs_are_followed_as_they_are_written(stack: Stack) -> None:
    stack.up()
    command = [sys.executable, "-m", "modelyard.cli", "logs", "nats", "--follow", "--lines", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        try:
            assert follower.stdout.readline() == stack.layout.log("nats").read_text().splitlines()[-1] + "\n"
            with stack.layout.log("nats").open("a") as log:
                log.write("something new\n")
            assert follower.stdout.readline() == "something new\n"
        finally:
            follower.terminate()


@pytest.mark.parametrize("arguments", [[], ["upp"], ["logs", "-n", "-1"], ["status", "-o", "xml"]])
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
