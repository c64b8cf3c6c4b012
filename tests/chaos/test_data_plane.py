"""The data plane survives the control plane: endpoints answer with the last split while nothing else runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial

import psutil
import pytest

from modelyard import Client
from modelyard_testing.stacks import Stack, ended, eventually
from tests.made import PYTHON_3_11, deployment, sum_model
from tests.on_stack import MARKS
from tests.scoring import Endpoint, Load

pytestmark = MARKS

DATA_PLANE = {"edge", "ray"}


def running(stack: Stack) -> bool:
    return all(part["state"] in {"ready", "done"} for part in stack.document()["parts"])


@pytest.fixture(scope="module")
def deployments(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The endpoint `split`: blue answers a + b and has 70 % of the traffic, green answers a + b + 10."""
    folder = tmp_path_factory.mktemp("models")
    with Client(stack.document()["url"], stack.layout.owner_token()) as client:
        client.endpoints.create({"name": "split", "auth_mode": "key"})
        for name, plus in (("blue", 0.0), ("green", 10.0)):
            path = str(sum_model(folder / name, plus=plus))
            model = client.models.create({"name": "sum", "type": "custom_model", "path": path})
            spec = deployment("split", name, model=f"azureml:sum:{model['version']}")
            found = client.deployments.create(spec, timeout_s=150)
            assert found["status"] == "ready", found["detail"]
        client.endpoints.set_traffic("split", {"blue": 70, "green": 30})
        yield
        client.endpoints.delete("split", wait=False)


@pytest.fixture
def split(client: Client, deployments: None) -> Iterator[Endpoint]:
    endpoint = Endpoint(client, "split")
    eventually(endpoint.answers)
    yield endpoint
    endpoint.close()


def test_endpoints_answer_with_every_control_plane_process_stopped(
    stack: Stack, client: Client, split: Endpoint
) -> None:
    assert stack.supervisor is not None
    control_plane = [
        psutil.Process(part["pid"])
        for part in stack.document()["parts"]
        if part["pid"] and part["name"] not in DATA_PLANE
    ]
    assert len(control_plane) == 11
    with Load(split, blue=3.0, green=13.0) as load:
        load.more(50)
        os.kill(stack.supervisor.pid, signal.SIGSTOP)  # it would start them again
        try:
            for one in control_plane:
                one.kill()
            eventually(lambda: ended(control_plane))
            answered = load.more(1_000, within_s=60)
            assert load.failed == []
            assert 0.63 < answered["blue"] / answered.total() < 0.77  # five standard deviations
            assert ended(control_plane)
        finally:
            os.kill(stack.supervisor.pid, signal.SIGCONT)
        eventually(lambda: running(stack), 150)
        load.more(50)
        assert client.endpoints.get("split")["traffic"] == {"blue": 70, "green": 30}
        client.endpoints.set_traffic("split", {"blue": 0, "green": 100})
        eventually(lambda: load.more(20).keys() == {"green"}, 60)
    assert load.failed == []


def test_endpoints_and_jobs_come_back_when_ray_is_killed(stack: Stack, client: Client, split: Endpoint) -> None:
    before = stack.part("ray")
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: stack.part("ray").restarts > before.restarts and running(stack), 150)
    for name, answer in (("blue", 3.0), ("green", 13.0)):
        eventually(partial(split.answers, name), 120)
        assert split.score((1, 2), deployment=name).json() == [answer]
    job = client.jobs.create({"type": "command", "command": "echo again", "environment": PYTHON_3_11})["name"]
    assert client.jobs.wait(job, timeout_s=120)["status"] == "completed"
