import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from libs.client.tests.conftest import Platform

from modelyard import Client
from modelyard.api.git import git_state
from modelyard_specs import SpecError

Write = Callable[[dict[str, str]], Path]

JOB = """
type: command
display_name: say it
code: src
command: python say.py > ${{outputs.said}}/said.txt
environment:
  image: python
  conda_file: {dependencies: [python=3.11]}
outputs:
  said: {type: uri_folder}
"""


def submit(client: Client, write: Write) -> dict[str, Any]:
    write({"src/say.py": "print('hello')\n"})
    return client.jobs.create(write({"job.yml": JOB}), name="say-1")


def queued(client: Client, name: str) -> str:
    """The id of the job's one step, once it waits for a runner."""
    waited = threading.Event()
    for _ in range(400):
        [step] = client.jobs.steps(name)
        if step["status"] == "queued":
            return str(step["id"])
        waited.wait(0.05)
    raise AssertionError(f"the step is {step['status']}: {step['detail']}")


def test_a_job_is_streamed_through_a_restart_and_its_output_fetched(
    platform: Platform, client: Client, write: Write, tmp_path: Path
) -> None:
    job = submit(client, write)
    assert (job["name"], job["status"], job["display_name"]) == ("say-1", "submitted", "say it")
    step = queued(client, "say-1")
    platform.report(step, 1, "started", {"node": "here"})
    [name] = [step["name"] for step in client.jobs.steps("say-1")]
    platform.log("say-1", name, "one\ntwo\n")
    chunks: Iterator[Any] = client.jobs.stream("say-1")
    seen = next(chunks).text
    platform.gateway.stop()
    platform.gateway.start()
    platform.log("say-1", name, "thrée\n")
    while "thrée" not in seen:
        seen += next(chunks).text

    tree = client.specs.trees.upload(write({"said/said.txt": "hello\n"}).parent)
    platform.report(step, 1, "finished", {"status": "completed", "seconds": 0.1, "outputs": {"said": tree}})
    seen += "".join(chunk.text for chunk in chunks)
    assert seen == "one\ntwo\nthrée\n"
    assert client.jobs.wait("say-1", timeout_s=30)["status"] == "completed"
    assert client.jobs.outputs("say-1")["said"]["tree"] == tree
    folder = client.jobs.download("say-1", target=tmp_path / "got")
    assert (folder / "said" / "said.txt").read_text() == "hello\n"


def test_a_job_is_found_and_canceled(client: Client, write: Write) -> None:
    submit(client, write)
    assert [job["name"] for job in client.jobs.list(limit=5)] == ["say-1"]
    assert client.jobs.list(status="failed") == []
    assert client.jobs.cancel("say-1")["status"] == "canceled"
    assert [chunk.text for chunk in client.jobs.stream("say-1")] == []


def test_a_job_of_components_in_files_is_sent_whole(client: Client, write: Write) -> None:
    write(
        {
            "c/src/run.py": "1",
            "c/step.yml": "name: s\ntype: command\ncode: ./src\ncommand: python run.py\nenvironment: {image: x}\n",
        }
    )
    spec = write({"p.yml": "type: pipeline\njobs:\n  a: {type: command, component: c/step.yml}\n"})
    [step] = client.jobs.create(spec)["steps"]
    assert len(step["code"]) == 64
    with pytest.raises(SpecError, match="its content here"):
        client.jobs.create({"type": "pipeline", "jobs": {"a": {"type": "command", "component": "c/step.yml"}}})


def test_the_state_of_git_goes_with_a_job(client: Client, write: Write, tmp_path: Path) -> None:
    assert git_state(tmp_path) is None
    write({"repository/src/say.py": "print('hello')\n", "repository/job.yml": JOB})
    folder = tmp_path / "repository"

    def git(*arguments: str) -> str:
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = subprocess.run(["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--initial-branch", "main")
    assert git_state(folder) is None
    git("remote", "add", "origin", "https://ada:secret@example.com/ada/flights.git")
    git("add", ".")
    git("commit", "--message", "first")
    clean = {
        "repository": "https://example.com/ada/flights.git",
        "branch": "main",
        "commit": git("rev-parse", "HEAD"),
        "dirty": False,
    }
    assert git_state(folder) == clean
    write({"repository/new.txt": "x"})
    assert client.jobs.create(folder / "job.yml")["git"] == clean | {"dirty": True}
