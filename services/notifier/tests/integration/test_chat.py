"""What people read, as a Slack-compatible hook receives it."""

import json
import logging
from datetime import UTC, datetime

import pytest
from services.notifier.tests.support import Publish, Receiver, Start, finished, heard

from modelyard_contracts.drift_monitor import DriftDetected, FeatureDrift
from modelyard_contracts.scheduler import JobFailed

# apprise loads all of its plugins at the first message; some import what Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

LOG = "a\n\nb\nValueError: no rows\n"
DRIFT = DriftDetected(
    monitor="flights-drift",
    endpoint="flights",
    deployment="blue",
    model="flight-delay:3",
    window=7,
    rows=12_000,
    baseline_rows=50_000,
    window_start=datetime(2013, 6, 1, tzinfo=UTC),
    window_end=datetime(2013, 7, 1, tzinfo=UTC),
    features=(
        FeatureDrift(
            feature="temp", measure="normalized_wasserstein_distance", value=0.8123, threshold=0.1, drifted=True
        ),
        FeatureDrift(
            feature="hour", measure="normalized_wasserstein_distance", value=0.01, threshold=0.1, drifted=False
        ),
    ),
)


async def test_slack_compatible_hook(start: Start, publish: Publish, receiver: Receiver) -> None:
    async with start(public_url="http://127.0.0.1:8080") as client:
        made = await client.subscribe(
            "team", type="chat", url=f"{receiver.url}/services/T0/B0/hook-key", events=["drift.*", "job.failed"]
        )
        await publish(DRIFT, reason="weekly <look>")
        (request,) = await heard(receiver)
        await finished(client, "team")
        await publish(
            JobFailed(
                job="brave_otter",
                kind="pipeline",
                step="train",
                detail="exit code 1",
                log_tail=LOG,
            )
        )
        _, failed = await heard(receiver, 2)
    assert made["url"] == f"{receiver.url}/***"
    assert request.path == "/services/T0/B0/hook-key"
    assert json.loads(request.body) == {
        "text": "*Drift on endpoint flights (blue)*\n"
        "• *monitor*: flights-drift\n"
        "• *model*: flight-delay:3\n"
        "• *temp*: normalized_wasserstein_distance 0.812, threshold 0.1\n"
        "• *rows*: 12,000 against a baseline of 50,000\n"
        "• *window*: 2013-06-01 00:00 to 2013-07-01 00:00 UTC\n"
        "• *reason*: weekly &lt;look&gt;\n"
        "• *by*: user:tester\n"
        "http://127.0.0.1:8080/"
    }
    assert json.loads(failed.body)["text"].splitlines() == [
        "*Job brave_otter failed*", "• *job*: brave_otter", "• *step*: train", "• *why*: exit code 1", "• *log*: a", "b",
        "ValueError: no rows", "• *by*: user:tester", "http://127.0.0.1:8080/",
    ]  # fmt: skip


async def test_mattermost_by_apprises_own_form(start: Start, publish: Publish, receiver: Receiver) -> None:
    async with start() as client:
        made = await client.subscribe(
            "team", type="chat", url=f"mmost://127.0.0.1:{receiver.port}/hookkey", events=["*"]
        )
        await publish(DRIFT)
        (request,) = await heard(receiver)
        await finished(client, "team")
    assert made["url"] == "mmost://***"
    assert request.path == "/hooks/hookkey"
    assert "Drift on endpoint flights (blue)" in json.loads(request.body)["text"]


async def test_a_chat_that_refuses_is_tried_again_then_given_up(
    start: Start,
    publish: Publish,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    receiver.statuses = [500, 404]
    async with start(max_attempts=2) as client:
        await client.subscribe("team", type="chat", url=f"{receiver.url}/hook-key", events=["*"])
        await publish(DRIFT)
        (dead,) = await finished(client, "team")
    assert (dead["status"], dead["attempts"]) == ("dead", 2)
    assert "404" in dead["detail"]
    assert not logging.getLogger("apprise").propagate  # pytest listens to it all the same
    said = [record.getMessage() for record in caplog.records if record.name.startswith(("notifier", "modelyard"))]
    assert not [text for text in (*said, *capfd.readouterr(), dead["detail"]) if "hook-key" in text]
