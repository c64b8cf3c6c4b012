"""From rows that are scored to a message and a job: drift is found, told and acted upon."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from modelyard import Client
from modelyard_testing.stacks import eventually
from tests.made import PYTHON_3_11
from tests.on_stack import MARKS
from tests.scoring import Endpoint

pytestmark = MARKS

SECRET: Final = "a secret between two programs"
WINDOW_ROWS: Final = 300


class Receiver:
    """Somebody's webhook: keeps what was posted to it."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        received = self.received

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """The test looks at what came."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self._server.server_port}/events"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver(client: Client) -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    for named, name in ((client.monitors, "sum-drift"), (client.triggers, "retrain"), (client.subscriptions, "hook")):
        named.delete(name)
    receiver.close()


def monitor(endpoint: str) -> dict[str, Any]:
    reference = {
        "input_data": {"path": "azureml:sum-training:1", "type": "uri_file"},
        "data_context": "training",
    }
    signal = {
        "type": "data_drift",
        "reference_data": reference,
        "features": ["a", "b"],
        "metric_thresholds": {"numerical": {"normalized_wasserstein_distance": 0.5}},
    }
    return {
        "name": "sum-drift",
        "properties": {"modelyard.window_rows": WINDOW_ROWS},
        "trigger": {"type": "recurrence", "frequency": "month", "interval": 1},
        "create_monitor": {
            "compute": {"instance_type": "standard_e4s_v3", "runtime_version": "3.4"},
            "monitoring_target": {"ml_task": "regression", "endpoint_deployment_id": f"azureml:{endpoint}:blue"},
            "monitoring_signals": {"inputs": signal},
        },
    }


def score(endpoint: Endpoint, rows: int, *, b: float) -> None:
    """Rows like those of the training data, but for the mean of b."""
    chance = random.Random(7)
    answer = endpoint.score(*((chance.gauss(0, 1), chance.gauss(b, 1)) for _ in range(rows)))
    assert answer.status_code == 200, answer.text


def test_drift_is_found_told_and_acted_upon(client: Client, sums: Endpoint, receiver: Receiver, tmp_path: Path) -> None:
    chance = random.Random(1)
    rows = [f"{chance.gauss(0, 1)},{chance.gauss(0, 1)}" for _ in range(2_000)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b", *rows]))
    data = {"name": "sum-training", "version": "1", "type": "uri_file", "path": str(tmp_path / "rows.csv")}
    client.data.create(data)
    profile = eventually(lambda: client.data.get("sum-training", "1")["profile"])
    assert (profile["status"], profile["rows"]) == ("profiled", 2_000)

    hook = {"name": "hook", "type": "webhook", "url": receiver.url, "secret": SECRET, "events": ["drift.*"]}
    client.subscriptions.create(hook)
    job = {
        "type": "command",
        "environment": PYTHON_3_11,
        "command": "echo training anew after ${{inputs.rows}} rows of ${{inputs.subject}}",
    }
    trigger = {
        "name": "retrain",
        "type": "trigger",
        "on": {"type": "drift.detected", "filter": {"subject": f"endpoints/{sums.name}/*"}},
        "inputs": {"rows": "${{event.data.rows}}", "subject": "${{event.subject}}"},
        "create_job": job | {"inputs": {"rows": 0, "subject": ""}},
    }
    client.triggers.create(trigger)
    client.monitors.create(monitor(sums.name))

    score(sums, WINDOW_ROWS, b=0.0)
    [quiet] = eventually(lambda: client.events.list(type="monitor.evaluated"))
    assert quiet["data"]["rows"] >= WINDOW_ROWS
    assert client.events.list(type="drift.detected") == []

    score(sums, WINDOW_ROWS, b=3.0)
    [drift] = eventually(lambda: client.events.list(type="drift.detected"))
    [feature] = drift["data"]["features"]
    assert feature["feature"] == "b"
    assert feature["measure"] == "normalized_wasserstein_distance"
    assert feature["value"] == pytest.approx(3.0, abs=0.3)

    headers, body = eventually(lambda: receiver.received)[0]
    event = json.loads(body)
    assert headers["content-type"].startswith("application/cloudevents+json")
    assert (event["id"], event["type"]) == (drift["id"], "modelyard.drift.detected.v1")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{signature}"

    [fired] = eventually(lambda: client.events.list(type="schedule.fired"))
    assert fired["causation_id"] == drift["id"]
    done = client.jobs.wait(fired["data"]["job"], timeout_s=60)
    assert done["status"] == "completed", done["detail"]
    told = f"training anew after {drift['data']['rows']} rows of {drift['subject']}"
    assert client.jobs.logs(done["name"]).strip() == told
    because = {fact["type"]: fact for fact in client.why("job", done["name"])["chain"]}
    assert because["drift.detected"]["id"] == drift["id"]
    assert len(receiver.received) == 1
