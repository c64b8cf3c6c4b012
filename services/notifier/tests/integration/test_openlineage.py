"""What an OpenLineage receiver is sent, checked by the official client's own classes."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import UUID

import pytest
from openlineage.client import event_v2
from openlineage.client.serde import Serde
from services.notifier.tests.openlineage import rebuilt
from services.notifier.tests.support import Publish, Receiver, Start, finished, heard, told

from modelyard_contracts.registry import ModelRegistered
from modelyard_contracts.scheduler import (
    JobCanceled,
    JobCompleted,
    JobFailed,
    JobStarted,
    JobSubmitted,
    StepCanceled,
    StepCompleted,
    StepFailed,
    StepReused,
    StepStarted,
)
from notifier.domain.openlineage import job_run_id, step_run_id

JOB: Final[dict[str, Any]] = {
    "job": "brave_otter_1",
    "kind": "pipeline",
    "display_name": "train",
    "experiment": "delays",
}
STEP: Final[dict[str, Any]] = {"job": "brave_otter_1", "step": "fit", "title": "train", "environment": "e" * 64}
SUBMITTED = JobSubmitted.model_validate(
    JOB
    | {
        "trigger": "on-drift",
        "repository": "https://git.example/flights",
        "branch": "main",
        "commit": "feed" * 10,
        "uses": ["data/flights/versions/2", "environments/sk/versions/1", "models/base/versions/1"],
        "inputs": {
            "data": "azureml:flights:2",
            "rows": "100",
            "local": f"modelyard://trees/{'a' * 64}",
            "before": "azureml://jobs/calm_fox_2/outputs/features/paths/x",
        },
    }
)
SUBSCRIPTION: Final[dict[str, Any]] = {"type": "openlineage", "events": ["job.*", "step.*"]}


def _without_nothing(value: Any) -> Any:
    """What the client writes, without the empty facets it adds to names."""
    if isinstance(value, dict):
        return {key: _without_nothing(one) for key, one in value.items() if one not in ({}, None)}
    return [_without_nothing(one) for one in value] if isinstance(value, list) else value


async def test_every_event_of_a_run_is_one_the_official_client_knows(
    start: Start, publish: Publish, receiver: Receiver
) -> None:
    events = [
        SUBMITTED,
        JobStarted.model_validate(JOB),
        StepStarted.model_validate(STEP),
        StepFailed.model_validate(STEP | {"detail": "exit code 3", "exit_code": 3, "log_tail": "Traceback"}),
        StepCompleted.model_validate(STEP | {"attempt": 2, "outputs": {"model": "b" * 64}}),
        StepReused.model_validate(STEP | {"source": "jobs/old/steps/fit", "outputs": {"model": "b" * 64}}),
        StepCanceled.model_validate(STEP | {"detail": "canceled by user:ada"}),
        JobCompleted.model_validate(
            JOB | {"outputs": {"model": "b" * 64}, "registered": {"model": "models/delay/versions/3"}}
        ),
        JobFailed.model_validate(JOB | {"detail": "step 'fit' failed", "step": "fit", "log_tail": "Traceback"}),
        JobCanceled.model_validate(JOB),
    ]
    async with start() as client:
        await client.subscribe("lineage", url=receiver.url, secret="k-1", **SUBSCRIPTION)
        await publish(ModelRegistered(name="delay", version="3"))
        for event in events:
            await publish(event)
        await finished(client, "lineage", len(events))
    assert len(receiver.heard) == len(events), "a model is no run"
    sent = [json.loads(request.body) for request in receiver.heard]
    for request, document in zip(receiver.heard, sent, strict=True):
        assert request.path == "/api/v1/lineage"
        assert request.headers["authorization"] == "Bearer k-1"
        assert request.headers["content-type"] == "application/json"
        assert document["schemaURL"] == event_v2.RunEvent._get_schema()
        again = json.loads(Serde.to_json(rebuilt(document)))
        assert _without_nothing(again) == _without_nothing(document)
    assert sorted(document["eventType"] for document in sent) == sorted(
        ["START", "RUNNING", "START", "FAIL", "COMPLETE", "COMPLETE", "ABORT", "COMPLETE", "FAIL", "ABORT"]
    )
    assert {document["run"]["runId"] for document in sent if "parent" not in document["run"]["facets"]} == {
        job_run_id("default", "brave_otter_1")
    }


async def test_what_a_run_reads_writes_and_comes_from(start: Start, publish: Publish, receiver: Receiver) -> None:
    async with start() as client:
        await client.subscribe("lineage", url=f"{receiver.url}/collect", **SUBSCRIPTION)
        await publish(SUBMITTED, reason="drift")
        (begun,) = await heard(receiver)
        await publish(
            JobCompleted.model_validate(
                JOB | {"outputs": {"model": "b" * 64}, "registered": {"model": "models/delay/versions/3"}}
            )
        )
        await publish(StepFailed.model_validate(STEP | {"detail": "exit code 3", "log_tail": "Traceback"}))
        await finished(client, "lineage", 3)
    assert begun.path == "/collect"
    assert "authorization" not in begun.headers
    start_ = json.loads(begun.body)
    assert (start_["job"]["namespace"], start_["job"]["name"]) == ("modelyard://default", "train")
    inputs = {one["name"]: one["facets"].get("version", {}).get("datasetVersion") for one in start_["inputs"]}
    assert inputs == {
        "data/flights": "2",
        "models/base": "1",
        f"trees/{'a' * 64}": "a" * 64,
        "jobs/calm_fox_2/outputs/features": None,
    }
    code = start_["job"]["facets"]["sourceCodeLocation"]
    assert (code["repoUrl"], code["version"], code["branch"]) == ("https://git.example/flights", "feed" * 10, "main")
    tags = {tag["key"]: tag["value"] for tag in start_["run"]["facets"]["tags"]["tags"]}
    assert tags["modelyard.job"] == "brave_otter_1"
    assert (tags["modelyard.trigger"], tags["modelyard.reason"]) == ("on-drift", "drift")

    later = {
        document["eventType"]: document for request in receiver.heard[1:] if (document := json.loads(request.body))
    }
    assert [one["name"] for one in later["COMPLETE"]["outputs"]] == ["jobs/brave_otter_1/outputs/model", "models/delay"]
    step = later["FAIL"]
    assert step["job"]["name"] == "train.fit"
    assert step["run"]["facets"]["parent"]["run"]["runId"] == start_["run"]["runId"]
    assert step["run"]["facets"]["errorMessage"]["message"] == "exit code 3"
    assert step["run"]["runId"] == step_run_id("default", "brave_otter_1", "fit", 1)
    assert UUID(step["run"]["runId"]).version == 5


async def test_a_receiver_that_is_down_gets_it_later(start: Start, publish: Publish) -> None:
    receiver = Receiver()
    with receiver.up():
        url = receiver.url
    async with start() as client:
        await client.subscribe("lineage", url=url, **SUBSCRIPTION)
        await publish(SUBMITTED)
        with receiver.up():
            (delivery,) = await finished(client, "lineage")
    assert delivery["status"] == "delivered"
    assert len(receiver.heard) == 1


@pytest.mark.parametrize(
    "spec", [{"url": "slack://a/b"}, {"url": "http://h", "format": "eventgrid"}, {"url": "http://h", "events": []}]
)
async def test_a_specification_that_does_not_fit(start: Start, spec: dict[str, Any]) -> None:
    async with start() as client:
        answer = await client.put("/api/v1/subscriptions/x", json={"spec": SUBSCRIPTION | spec})
    assert answer.status_code == 400
    assert answer.json()["detail"]


async def test_changes_of_subscriptions_are_events_without_secrets(
    start: Start, publish: Publish, database: str
) -> None:
    async with start() as client:
        for _ in range(2):
            await client.subscribe("lineage", url="http://127.0.0.1:9/", secret="k-1", **SUBSCRIPTION)
        await client.subscribe("lineage", url="http://127.0.0.1:9/", secret="k-2", enabled=False, **SUBSCRIPTION)
        assert (await client.delete("/api/v1/subscriptions/lineage")).status_code == 204
    changes = await told(database, "subscription")
    assert [(one["type"], one["actor"]) for one in changes] == [
        ("modelyard.subscription.updated.v1", "user:tester"),
        ("modelyard.subscription.updated.v1", "user:tester"),
        ("modelyard.subscription.deleted.v1", "user:tester"),
    ]
    assert changes[0]["data"]["before"] is None
    assert (changes[1]["data"]["before"]["enabled"], changes[1]["data"]["after"]["enabled"]) == (True, False)
    assert "k-1" not in json.dumps(changes)
