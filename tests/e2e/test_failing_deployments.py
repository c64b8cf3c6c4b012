"""A deployment that fails never hurts one that works."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from modelyard import Client
from modelyard_testing.stacks import eventually
from tests.made import PYTHON_3_11, code, deployment, score_script
from tests.on_stack import MARKS
from tests.scoring import Endpoint, Load

pytestmark = MARKS

SCORE = """\
    def init():
        raise FileNotFoundError("weights.bin is not where it should be")

    def run(data):
        return data
"""


def failures(client: Client, endpoint: str, name: str) -> list[dict[str, Any]]:
    """The events that tell of them."""
    return client.events.list(type="deployment.failed", subject=f"endpoints/{endpoint}/deployments/{name}")


def test_a_deployment_whose_init_raises(client: Client, sums: Endpoint, tmp_path: Path) -> None:
    """Beside the live one, and as a new version of the live one."""
    broken = score_script(code(tmp_path / "src", score=SCORE), PYTHON_3_11)
    with Load(sums, blue=3.0) as load:
        for name in ("green", "blue"):
            client.deployments.create(deployment(sums.name, name, **broken), wait=False)
        for name in ("green", "blue"):
            failed = client.deployments.wait(sums.name, name, timeout_s=150)
            assert failed["status"] == "failed", failed
            assert 'score.py", line 2, in init' in failed["detail"]
            assert "FileNotFoundError: weights.bin is not where it should be" in failed["detail"]
            [event] = eventually(partial(failures, client, sums.name, name))
            assert event["data"]["detail"] == failed["detail"]
        load.more(100)
    assert load.failed == []
    assert load.answered.keys() == {"blue"}
    assert client.endpoints.get(sums.name)["traffic"] == {"blue": 100}
    assert client.deployments.get(sums.name, "blue")["live_model"] == "sum:1"
    client.deployments.delete(sums.name, "green", wait=False)
