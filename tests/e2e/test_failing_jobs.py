"""Training that fails: the job says why, with the end of its log."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard import Client
from modelyard_testing.stacks import eventually
from tests.made import code, command
from tests.on_stack import MARKS, Cli

pytestmark = MARKS

TRAIN = """\
    import os, sys, time

    print("epoch 1 of 2, process", os.getpid(), flush=True)
    if sys.argv[1] == "raises":
        raise KeyError("late")
    while True:
        time.sleep(1)
"""


@pytest.fixture
def submit(client: Client, tmp_path: Path) -> Callable[..., str]:
    folder = code(tmp_path / "src", train=TRAIN)

    def submit(arguments: str, **more: Any) -> str:
        name: str = client.jobs.create(command(folder, f"python train.py {arguments}", **more))["name"]
        return name

    return submit


def assert_failed(client: Client, cli: Cli, name: str, reason: str, *last_words: str) -> None:
    job = client.jobs.wait(name, timeout_s=60)
    [step] = job["steps"]
    assert (job["status"], step["status"]) == ("failed", "failed")
    assert reason in job["detail"]
    assert reason in step["detail"]
    assert "epoch 1 of 2" in step["log_tail"]
    for words in last_words:
        assert words in step["log_tail"]
    [event] = eventually(lambda: client.events.list(type="job.failed", subject=f"jobs/{name}"))
    assert reason in event["data"]["detail"]
    assert event["data"]["log_tail"] == step["log_tail"]

    streamed = cli("job", "stream", "-n", name)
    assert streamed.returncode == 1
    for words in ("epoch 1 of 2", reason, *last_words):
        assert words in streamed.stdout
    assert reason in streamed.stderr
    assert client.jobs.logs(name).rstrip().endswith(step["log_tail"].rstrip())


def test_it_exits_with_an_error(client: Client, cli: Cli, submit: Callable[..., str]) -> None:
    assert_failed(client, cli, submit("raises"), "ended with exit code 1", "Traceback", "KeyError: 'late'")


def test_it_runs_past_its_limit(client: Client, cli: Cli, submit: Callable[..., str]) -> None:
    assert_failed(client, cli, submit("runs on", limits={"timeout": 2}), "ran past its limit of 2 s")


def test_it_is_killed(client: Client, cli: Cli, submit: Callable[..., str]) -> None:
    name = submit("runs on")
    written = ""
    for chunk in client.jobs.stream(name):
        written += chunk.text
        if found := re.search(r"process (\d+)\n", written):
            os.kill(int(found[1]), signal.SIGKILL)
            break
    assert_failed(client, cli, name, "was killed by SIGKILL")
