"""Score scripts run in the interpreter that their environment asks for, each in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from uv import find_uv_bin

from modelyard import Client
from modelyard_runtime.environments import installed_pythons
from tests.made import code, deployment, score_script
from tests.on_stack import MARKS
from tests.scoring import Endpoint

SCORE = """\
    import json, os, sys

    def init():
        global times
        times = int(os.environ["TIMES"])

    def run(data):
        total = sum(json.loads(data)["values"])
        return {"python": "%d.%d" % sys.version_info[:2], "answer": total * times}
"""
WANTED = ("3.8", "3.12")
AT_HAND = {version.rpartition(".")[0] for version in installed_pythons(find_uv_bin())}

pytestmark = MARKS


@pytest.mark.parametrize("python", sorted(AT_HAND & {*WANTED}) or ["3.11"])
def test_a_score_script_runs_in_its_own_python(client: Client, tmp_path: Path, python: str) -> None:
    conda = {
        "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04",
        "conda_file": {"dependencies": [f"python={python}"]},
    }
    script = score_script(code(tmp_path / "src", score=SCORE), conda)
    name = f"python-{python.replace('.', '')}"
    client.endpoints.create({"name": name, "auth_mode": "key"})
    spec = deployment(name, "script", environment_variables={"TIMES": "2"}, **script)
    found = client.deployments.create(spec, all_traffic=True, timeout_s=120)
    assert found["status"] == "ready", found["detail"]
    endpoint = Endpoint(client, name)
    try:
        answer = endpoint.post(json.dumps({"values": [1, 2]}))
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"python": python, "answer": 6}
        assert endpoint.post(json.dumps({"values": "no numbers"})).status_code == 500
        assert endpoint.post(json.dumps({"values": [4]})).json() == {"python": python, "answer": 8}
    finally:
        endpoint.close()
        client.endpoints.delete(name, wait=False)
