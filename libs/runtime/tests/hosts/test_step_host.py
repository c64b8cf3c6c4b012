"""The step host as its parent sees it: frames, limits, and nothing left behind."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uv

from modelyard_runtime.environments import uv_environment
from modelyard_runtime.hosts import step_host
from modelyard_testing.processes import lives

SYSTEM = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def interpreters() -> list[str]:
    """The platform's own, and the oldest and newest that the machine has between 3.7 and 3.13."""
    listed = subprocess.run(
        [uv.find_uv_bin(), "python", "list", "--only-installed", "--output-format", "json"],
        env=uv_environment(), capture_output=True, check=True, timeout=60,
    ).stdout  # fmt: skip
    known = {}
    for entry in json.loads(listed):
        version = (entry["version_parts"]["major"], entry["version_parts"]["minor"])
        if (3, 7) <= version <= (3, 13) and "shims" not in entry["path"]:
            known[version] = entry["path"]
    return sorted({sys.executable, known[min(known)], known[max(known)]})


def start(
    command: str, cwd: Path, *, python: str = sys.executable, timeout_s: float = 60, grace_s: float = 0.5
) -> "subprocess.Popen[bytes]":
    host = subprocess.Popen(
        [python, "-I", "-S", step_host.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}
    )
    order = {"command": command, "cwd": str(cwd), "environment": SYSTEM, "timeout_s": timeout_s, "grace_s": grace_s}
    assert host.stdin
    host.stdin.write(json.dumps(order).encode() + b"\n")
    host.stdin.flush()
    return host


def finish(host: "subprocess.Popen[bytes]") -> tuple[dict[str, bytes], dict[str, object]]:
    """Everything on both streams, and the end."""
    assert host.stdin
    assert host.stdout
    text: dict[str, bytes] = {"o": b"", "e": b""}
    while True:
        head = host.stdout.read(5)
        body = host.stdout.read(int.from_bytes(head[1:], "big"))
        if head[:1] == b"x":
            host.stdin.close()
            host.stdout.close()
            assert host.wait(10) == 0
            return text, json.loads(body)
        text[head[:1].decode()] += body


def run(command: str, cwd: Path, **options: float) -> tuple[dict[str, bytes], dict[str, object]]:
    return finish(start(command, cwd, **options))


def until(condition: Callable[[], object], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        time.sleep(0.02)


@pytest.mark.parametrize("python", interpreters())
def test_streams_and_exit_code(python: str, tmp_path: Path) -> None:
    text, end = finish(start("pwd; echo err >&2; exit 3", tmp_path, python=python))
    assert text == {"o": f"{tmp_path}\n".encode(), "e": b"err\n"}
    assert (end["exit_code"], end["signal"], end["ended_by"]) == (3, None, None)


def test_only_the_given_environment(tmp_path: Path) -> None:
    text, _ = run("env", tmp_path)
    assert {line.split("=")[0] for line in text["o"].decode().splitlines()} == {"PATH", "PWD", "SHLVL", "_"}


def test_much_output_arrives_whole(tmp_path: Path) -> None:
    text, end = run("seq 1 200000", tmp_path)
    assert text["o"].split() == [str(i).encode() for i in range(1, 200001)]
    assert end["exit_code"] == 0


def test_peak_memory_and_time(tmp_path: Path) -> None:
    _, end = run(f"{sys.executable} -c 'b = bytearray(200 << 20); b[::4096] = b[::4096]'; sleep 0.2", tmp_path)
    assert 200 << 20 < end["peak_rss_bytes"] < 400 << 20
    assert 0.2 < end["duration_s"] < 30


def test_time_limit(tmp_path: Path) -> None:
    _, end = run("sleep 60", tmp_path, timeout_s=0.3)
    assert (end["exit_code"], end["signal"], end["ended_by"]) == (None, "SIGTERM", "timeout")


def test_who_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    _, end = run("trap '' TERM; while true; do sleep 0.05; done", tmp_path, timeout_s=0.3)
    assert (end["signal"], end["ended_by"]) == ("SIGKILL", "timeout")


def test_sigterm_leaves_time_to_save(tmp_path: Path) -> None:
    text, end = run(
        "trap 'echo saved; exit 7' TERM; while true; do sleep 0.05; done", tmp_path, timeout_s=0.3, grace_s=10
    )
    assert text["o"] == b"saved\n"
    assert (end["exit_code"], end["ended_by"]) == (7, "timeout")


def test_cancel(tmp_path: Path) -> None:
    host = start("echo ready; sleep 60", tmp_path)
    assert host.stdin
    assert host.stdout
    assert host.stdout.read(5 + 6).endswith(b"ready\n")
    host.stdin.write(b"cancel\n")
    host.stdin.flush()
    _, end = finish(host)
    assert (end["signal"], end["ended_by"]) == ("SIGTERM", "cancel")


def test_killed_command(tmp_path: Path) -> None:
    _, end = run("kill -9 $$", tmp_path)
    assert (end["exit_code"], end["signal"], end["ended_by"]) == (None, "SIGKILL", None)


def test_background_and_escaped_processes_end_with_the_command(tmp_path: Path) -> None:
    text, end = run("setsid sleep 60 & echo $!; sleep 60 & echo $!", tmp_path)
    assert end["exit_code"] == 0
    assert end["duration_s"] < 10
    assert [pid for pid in map(int, text["o"].split()) if lives(pid)] == []


@pytest.mark.parametrize("escaping", ["", "setsid "])
def test_nothing_outlives_the_parent(escaping: str, tmp_path: Path) -> None:
    """The parent is killed with SIGKILL: it can tell nobody."""
    code = (
        "import json, subprocess, sys, time\n"
        f"host = subprocess.Popen([sys.executable, '-I', '-S', {step_host.__file__!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "host.stdin.write(sys.argv[1].encode() + b'\\n'); host.stdin.flush()\n"
        "print(host.pid, flush=True); time.sleep(60)"
    )
    command = f"{escaping}bash -c 'echo $$ > inner; sleep 60' & wait"
    order = {"command": command, "cwd": str(tmp_path), "environment": SYSTEM, "timeout_s": 60, "grace_s": 10}
    with subprocess.Popen([sys.executable, "-c", code, json.dumps(order)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        host = int(parent.stdout.readline())
        until(lambda: (tmp_path / "inner").exists() and (tmp_path / "inner").read_text().strip())
        inner = int((tmp_path / "inner").read_text())
        assert lives(inner)
        parent.kill()
        until(lambda: not lives(host) and not lives(inner))


def test_killed_host_takes_the_command_with_it(tmp_path: Path) -> None:
    host = start("echo $$ > pid; exec sleep 60", tmp_path)
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    pid = int((tmp_path / "pid").read_text())
    host.kill()
    assert host.stdout
    assert host.stdin
    host.wait(10)
    host.stdout.close()
    host.stdin.close()
    until(lambda: not lives(pid))


def test_parent_that_never_orders(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", step_host.__file__], input=b"", capture_output=True, timeout=10, check=False
    )
    assert done.returncode == 1
    assert b"the order ended before its line did" in done.stderr
