"""The data plane survives the control plane: endpoints answer with the last split while nothing else runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from modelyard import Client
from modelyard_testing.stacks import Stack, ended, eventually
from tests.made import deployment, sum_model
from tests.scoring import Endpoint, Load

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(420)]

DATA_PLANE = {"edge", "ray"}


def test_endpoints_answer_with_every_control_plane_process_stopped(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    client.endpoints.create({"name": "split", "auth_mode": "key"})
    for name, plus in (("blue", 0.0), ("green", 10.0)):
        model = client.models.create(
            {"name": "sum", "type": "custom_model", "path": str(sum_model(tmp_path / name, plus=plus))}
        )
        spec = deployment("split", name, model=f"azureml:sum:{model['version']}")
        found = client.deployments.create(spec, timeout_s=150)
        assert found["status"] == "ready", found["detail"]
    client.endpoints.set_traffic("split", {"blue": 70, "green": 30})
    endpoint = Endpoint(client, "split")
    eventually(lambda: endpoint.score((1, 2)).status_code == 200)

    assert stack.supervisor is not None
    control_plane = [
        psutil.Process(part["pid"])
        for part in stack.document()["parts"]
        if part["pid"] and part["name"] not in DATA_PLANE
    ]
    assert len(control_plane) == 11
    with Load(endpoint, blue=3.0, green=13.0) as load:
        load.more(50)
        os.kill(stack.supervisor.pid, signal.SIGSTOP)  # it would start them again
        try:
            for one in control_plane:
                one.kill()
            eventually(lambda: ended(control_plane))
            answered = load.more(1_000, within_s=60)
            assert load.failed == []
            assert 0.63 < answered["blue"] / answered.total() < 0.77  # five standard deviations
        finally:
            os.kill(stack.supervisor.pid, signal.SIGCONT)
        eventually(lambda: all(part["state"] in {"ready", "done"} for part in stack.document()["parts"]), 150)
        load.more(50)
        assert client.endpoints.get("split")["traffic"] == {"blue": 70, "green": 30}
        client.endpoints.set_traffic("split", {"blue": 0, "green": 100})
        eventually(lambda: load.more(20).keys() == {"green"}, 60)
    assert load.failed == []
    endpoint.close()
    client.endpoints.delete("split", wait=False)
