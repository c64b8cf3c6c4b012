"""One replica where it belongs: in Ray Serve."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard_testing.processes import living

DRIVER = Path(__file__).with_name("serve_driver.py")


@pytest.fixture
def driver(trees: Any, tmp_path: Any) -> Any:
    """A process with a Ray and Ray Serve of its own (in its own session, so that all of it can be ended), driven by lines of JSON."""
    import shutil
    import tempfile

    node = tmp_path / "node"
    shutil.copytree(trees, node / "trees")
    with tempfile.TemporaryDirectory(prefix="my-ray-", ignore_cleanup_errors=True) as short:
        environment = os.environ | {
            "MODELYARD_NODE_DATA_DIR": str(node),
            "MODELYARD_NODE_NATS_URL": "",
            "RAY_TMPDIR": short,
            "PYTHONWARNINGS": "",
        }
        with (tmp_path / "ray.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, DRIVER, short],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def ask(**question: Any) -> Any:
            asked.write(json.dumps(question) + "\n")
            asked.flush()
            while not (line := answers.readline()).startswith("{"):
                assert line, (tmp_path / "ray.log").read_text()[-4000:]
            return json.loads(line)

        try:
            yield ask, node
        finally:
            asked.close()
            try:
                process.wait(60)
            finally:
                for pid in living(session=process.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                process.wait(10)
                answers.close()


@pytest.mark.timeout(240)
def test_a_deployment_lives_and_ends_in_ray_serve(driver: Any, specs: Any) -> None:
    ask, node = driver
    answer = ask(run=specs.matrix(num_cpus=0.1).model_dump(mode="json"))
    assert answer["status"] == "RUNNING", answer
    logs = node / "deployments" / "flowers" / "blue"
    [log] = logs.glob("*.log")
    port = int(log.read_text().rpartition("listening on 127.0.0.1:")[2].split()[0])
    client = specs.client(port)
    assert client.score({"input_data": [[5.1, 3.5, 1.4, 0.2]]}) == (200, [0])

    code = node / "trees" / ("c" * 64)
    code.mkdir()
    (code / "score.py").write_text("def init():\n    raise RuntimeError('no weights here')\ndef run(data): return 1\n")
    script = {"code_tree": "c" * 64, "entry_script": "score.py", "python": sys.executable}
    bad = specs.matrix(num_cpus=0.1).model_dump(mode="json") | {"deployment": "green", "script": script}
    answer = ask(run=bad)
    assert answer["status"] == "DEPLOY_FAILED"
    assert "no weights here" in str(answer)
    assert "Traceback" in str(answer)
    assert client.score({"input_data": [[5.1, 3.5, 1.4, 0.2]]}) == (200, [0]), "the other deployment is unharmed"

    ask(delete="flowers--blue")
    specs.until(lambda: "stopped" in log.read_text())
    with pytest.raises(ConnectionRefusedError):
        client.score([])
