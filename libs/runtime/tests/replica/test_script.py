"""Score scripts in their own processes and interpreters."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from modelyard_runtime.replica.script import ScriptNotStartedError
from modelyard_testing.processes import lives

ECHO = """
import json, os, sys
from modelyard_testing.processes import lives
def init():
    global folder
    folder = os.environ["AZUREML_MODEL_DIR"]
    print("init in", os.getcwd())
def run(raw_data):
    data = json.loads(raw_data)
    if data == "raise": raise ValueError("no such flower")
    if data == "array": return {1, 2}
    if data == "exit": sys.exit(3)
    if data == "die": os._exit(9)
    if data == "hang":
        import time; time.sleep(60)
    print("scored", data)
    about = {"version": list(sys.version_info[:2]), "pid": os.getpid(), "got": data}
    return {**about, "files": sorted(os.listdir(folder)), "env": sorted(os.environ)}
"""


def interpreters() -> dict[str, str]:
    """The Python minor versions from 3.7 to 3.13 that are at hand here, as uv and PATH know them; always this one."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    for minor in range(7, 14):
        version = f"3.{minor}"
        asked = subprocess.run(
            [Path(sys.executable).with_name("uv"), "python", "find", "--offline", "--no-project", version],
            capture_output=True,
            text=True,
            check=False,
        )
        path = asked.stdout.strip() or shutil.which(f"python{version}")
        if path and version not in found:
            runs = subprocess.run(
                [path, "-c", "import ctypes, sys; print(sys.version_info[1])"],
                capture_output=True,
                text=True,
                check=False,
            )
            if runs.stdout.strip() == str(minor):
                found[version] = path
    return found


def test_every_python_at_hand_runs_scripts(script: Any) -> None:
    for version, python in interpreters().items():
        started = script(ECHO, python, environment_variables={"GIVEN": "1"})
        status, answer = started.client.score([1, 2])
        assert status == 200, answer
        assert answer["version"] == [int(part) for part in version.split(".")]
        assert answer["got"] == [1, 2]
        assert "model.onnx" in answer["files"]
        started.replica.stop()


def test_a_script_sees_only_what_it_was_given(script: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("MODELYARD_NODE_S3_SECRET_KEY", "secret")
    _, answer = script(ECHO, environment_variables={"GIVEN": "1"}).client.score([])
    allowed = {
        "PATH",
        "HOME",
        "LANG",
        "LC_CTYPE",
        "GIVEN",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "AML_APP_ROOT",
    }
    assert {name for name in answer["env"] if not name.startswith(("AZUREML_", "MODELYARD_"))} <= allowed
    assert {name for name in answer["env"] if name.startswith("MODELYARD_")} == {
        "MODELYARD_APP_ROOT",
        "MODELYARD_ENTRY_SCRIPT",
        "MODELYARD_MODEL_DIR",
    }


def test_what_run_raises_is_a_500_and_the_replicalives(script: Any) -> None:
    started = script(ECHO)
    pid = started.client.score([])[1]["pid"]
    for body, says in (("raise", "ValueError: no such flower"), ("array", "json.dumps"), ("exit", "SystemExit: 3")):
        status, problem = started.client.score(body)
        assert (status, problem["code"]) == (500, "script_failed")
        assert says in problem["detail"]
        assert "Traceback" not in json.dumps(problem)
    assert started.client.score(b"\xff")[0] == 400
    assert started.client.score([])[1]["pid"] == pid
    assert "no such flower" in started.client.send("GET", "/logs")[1]


def test_init_that_raises_brings_its_traceback(script: Any) -> None:
    with pytest.raises(ScriptNotStartedError, match=r"(?s)Traceback.*score\.py.*no weights here"):
        script("def init():\n    raise RuntimeError('no weights here')\ndef run(data): return 1\n")
    with pytest.raises(ScriptNotStartedError, match="SyntaxError"):
        script("def init(:\n")
    with pytest.raises(ScriptNotStartedError, match=r"has no function run\(\)"):
        script("def init(): pass\n")
    with pytest.raises(ScriptNotStartedError, match=r"ended with 7"):
        script("import os\nprint('about to end', flush=True)\nos._exit(7)\n")
    with pytest.raises(ScriptNotStartedError, match="cannot start"):
        script(ECHO, "/no/such/python")


def test_init_is_bounded(script: Any) -> None:
    with pytest.raises(ScriptNotStartedError, match=r"did not finish within 0\.5 s"):
        script("import time\ndef init(): time.sleep(60)\ndef run(data): return 1\n", init_timeout_s=0.5)


def test_a_killed_process_is_started_anew(script: Any, specs: Any) -> None:
    started = script(ECHO)
    pid = started.client.score([])[1]["pid"]
    os.kill(pid, signal.SIGKILL)
    answers = iter(lambda: started.client.score([]), None)
    assert specs.until(lambda: next(answer["pid"] for status, answer in answers if status == 200)) != pid
    status, problem = started.client.score("die")
    assert (status, problem["code"]) == (500, "script_failed")
    assert started.client.score([])[0] == 200
    assert "modelyard_replica_script_restarts_total 2" in started.client.send("GET", "/metrics")[1]
    started.replica.check()


def test_a_script_that_keeps_dying_is_given_up(script: Any, specs: Any) -> None:
    started = script("import os\ndef init(): pass\ndef run(data): os._exit(1)\n", timeout_ms=10_000)
    for _ in range(6):
        assert started.client.score([])[0] == 500
    status, problem = started.client.score([])
    assert (status, problem["code"]) == (503, "unavailable")
    assert started.client.send("GET", "/v2/health/ready")[0] == 503
    with pytest.raises(RuntimeError, match="in a row"):
        started.replica.check()


def test_a_request_that_takes_too_long_is_504(script: Any) -> None:
    started = script(ECHO, timeout_ms=700)
    pid = started.client.score([])[1]["pid"]
    began = time.monotonic()
    assert started.client.score("hang")[0] == 504
    assert time.monotonic() - began < 5
    assert started.client.score([])[1]["pid"] != pid


def test_requests_wait_for_their_turn_but_not_without_bound(script: Any) -> None:
    started = script(
        "import time\ndef init(): pass\ndef run(data):\n    time.sleep(0.5)\n    return 1\n", max_waiting=1
    )
    statuses: list[int] = []
    clients = [threading.Thread(target=lambda: statuses.append(started.client.score([])[0])) for _ in range(5)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(20)
    assert sorted(statuses) == [200, 200, 429, 429, 429]


def test_the_process_and_its_children_end_with_the_replica(script: Any, specs: Any) -> None:
    source = """
import subprocess, os
def init():
    global child
    child = subprocess.Popen(["sleep", "600"])
def run(data): return [os.getpid(), child.pid]
"""
    started = script(source)
    _, pids = started.client.score([])
    started.replica.stop()
    specs.until(lambda: not any(lives(pid) for pid in pids))


def test_v2_inference_needs_a_model(script: Any) -> None:
    started = script(ECHO)
    assert started.client.send("POST", "/v2/models/iris/infer", {})[0] == 501
    assert started.client.send("GET", "/v2/models/iris")[1]["platform"] == "modelyard_script"
