"""A model version says where it is deployed and how it is there, also when that changes."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from modelyard import Client
from modelyard_testing.stacks import Stack, eventually
from tests.e2e.test_scoring import replica_pids
from tests.made import PYTHON_3_11, code, deployment, score_script, sum_model
from tests.on_stack import MARKS, Cli

pytestmark = MARKS

SCORE = """\
    import os


    def init():
        if os.path.exists(os.environ["BROKEN"]):
            raise RuntimeError("it does not start any more")


    def run(data):
        return data
"""


def test_a_version_shows_its_deployments_health(client: Client, stack: Stack, cli: Cli, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    client.models.create({"name": "watched", "version": "1", "path": str(sum_model(tmp_path / "model"))})
    client.endpoints.create({"name": "watched", "auth_mode": "key"})
    script = score_script(code(tmp_path / "src", score=SCORE), PYTHON_3_11)
    variables = {"environment_variables": {"BROKEN": str(broken)}}
    made = deployment("watched", "blue", model="azureml:watched:1", **script, **variables)
    found = client.deployments.create(made, all_traffic=True, timeout_s=120)
    assert found["status"] == "ready", found["detail"]

    def shown() -> list[dict[str, Any]]:
        said = cli("model", "show", "-n", "watched", "-v", "1", "--query", "deployments")
        assert said.returncode == 0, said.stderr
        deployments: list[dict[str, Any]] = json.loads(said.stdout)
        return deployments

    def is_now(status: str) -> bool:
        [card] = client.models.card("watched", "1")["deployments"]
        return shown() == [{"endpoint": "watched", "deployment": "blue", "status": status}] and card["state"] == status

    eventually(partial(is_now, "ready"))
    broken.touch()
    for pid in replica_pids(stack, "watched"):
        os.kill(pid, signal.SIGKILL)
    eventually(partial(is_now, "degraded"), 60)
    assert "| watched | blue | degraded | 100 % |" in client.models.card_markdown("watched", "1")
    broken.unlink()
    eventually(partial(is_now, "ready"), 120)
