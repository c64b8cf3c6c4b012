import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from libs.client.tests.conftest import Platform

from modelyard import Client
from modelyard.cli import main
from modelyard.cli.jobs import _Lines
from modelyard_testing.stacks import eventually

Write = Callable[[dict[str, str]], Path]
Capture = pytest.CaptureFixture[str]

JOB = "type: command\ncode: src\ncommand: python say.py\nenvironment: {image: python}\n"


def begun(platform: Platform, client: Client, name: str) -> tuple[str, str]:
    """Id and name of the job's one step, begun."""
    eventually(lambda: client.jobs.steps(name)[0]["status"] == "queued")
    [step] = client.jobs.steps(name)
    platform.report(step["id"], 1, "started", {"node": "here"})
    return step["id"], step["name"]


def test_a_job_that_is_streamed_ends_with_its_status(environment: Platform, write: Write, capsys: Capture) -> None:
    write({"src/say.py": "1", "job.yml": JOB})
    assert main(["job", "create", "-f", "job.yml", "--name", "good", "--query", "status", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "Submitted\n"
    assert main(["job", "create", "-f", "job.yml", "--name", "bad", "--web"]) == 0
    assert f"Web View: {environment.url}/#jobs" in capsys.readouterr().err
    with Client() as client:
        for name, result in (
            ("good", {"status": "completed", "seconds": 0.1}),
            ("bad", {"status": "failed", "seconds": 0.1, "detail": "exit status 3", "exit_code": 3}),
        ):
            step, label = begun(environment, client, name)
            environment.log(name, label, f"this is {name}\n")
            environment.report(step, 1, "finished", result)
            client.jobs.wait(name, timeout_s=20)
    assert main(["job", "stream", "-n", "good"]) == 0
    captured = capsys.readouterr()
    assert "job good completed" in captured.err
    assert main(["job", "stream", "-n", "bad"]) == 1
    captured = capsys.readouterr()
    assert "job bad failed" in captured.err
    assert "exit code 3" in captured.err
    assert main(["job", "show", "-n", "bad", "--query", "[status, services.Studio.endpoint]", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == ["Failed", f"{environment.url}/#jobs"]
    assert main(["job", "list", "--status", "Failed", "--query", "[].name", "-o", "tsv"]) == 0
    assert capsys.readouterr().out == "bad\n"
    assert main(["job", "cancel", "-n", "bad"]) == 1
    assert "has ended already" in capsys.readouterr().err


def test_ctrl_c_leaves_the_job_alone(environment: Platform, write: Write, tmp_path: Path) -> None:
    write({"src/say.py": "1", "job.yml": JOB})
    command = [sys.executable, "-m", "modelyard.cli", "job", "create", "-f", "job.yml", "-n", "long", "--stream"]
    environ = {**os.environ, "MODELYARD_URL": environment.url}
    # Where these tests run in the background of a script, SIGINT is ignored, and would be by the command too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environ
        ) as streaming,
        Client() as client,
    ):
        assert streaming.stdout is not None
        assert streaming.stderr is not None
        try:
            eventually(client.jobs.list)
            _, label = begun(environment, client, "long")
            environment.log("long", label, "working\n")
            assert streaming.stdout.readline() == "working\n"
            streaming.send_signal(signal.SIGINT)
            assert streaming.wait(20) == 130
            assert "detached; job long goes on" in streaming.stderr.read()
        finally:
            streaming.kill()
        assert client.jobs.get("long")["status"] == "running"


def test_lines_of_several_steps_stand_under_their_names() -> None:
    lines = _Lines(alone=False)
    chunks = [("a", "one\ntwo\n"), ("b", "three"), ("b", " four\n"), ("a", "fi"), ("b", "six\n")]
    said = "".join(lines.of(step, text) for step, text in chunks)
    assert said == "a │ one\na │ two\nb │ three four\na │ fi\nb │ six\n"
    assert lines.end() == ""


@pytest.mark.parametrize("alone", [True, False])
def test_a_last_line_is_ended_when_its_writer_did_not(alone: bool) -> None:
    lines = _Lines(alone=alone)
    assert lines.end() == ""
    assert lines.of("a", "27.08").endswith("27.08")
    assert lines.end() == "\n"
    assert lines.of("a", "3\n").endswith("3\n")
    assert lines.end() == ""
