"""Triggers: an event submits a job, once, in the event's story."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import nats
from services.scheduler.tests.support import World, command, events_of

from modelyard_contracts import Event, encode, full_type, nats_subject
from modelyard_contracts.drift_monitor import DriftDetected, FeatureDrift
from modelyard_testing.conditions import eventually


def drift(endpoint: str = "flights", correlation: str = "story", *, age_s: float = 0) -> Event[Any]:
    now = datetime.now(UTC)
    data = DriftDetected(
        monitor="m", endpoint=endpoint, deployment="blue", window=60, rows=900, baseline_rows=1000, window_start=now,
        window_end=now, features=(FeatureDrift(feature="month", measure="psi", value=0.4, threshold=0.2, drifted=True),),
    )  # fmt: skip
    return Event[Any](
        id=uuid4(),
        source="/modelyard/drift-monitor",
        type=full_type(data.TYPE),
        subject=data.subject,
        time=now - timedelta(seconds=age_s),
        workspace="default",
        actor="service:drift-monitor",
        correlationid=correlation,
        sequence=1,
        data=data.model_dump(mode="json"),
    )


async def publish(world: World, *events: Event[Any]) -> None:
    connection = await nats.connect(world.nats_url)
    try:
        for event in events:
            await connection.jetstream().publish(nats_subject("default", "drift.detected"), encode(event))
    finally:
        await connection.close()


def trigger(**more: Any) -> dict[str, Any]:
    return {
        "type": "trigger",
        "name": "retrain",
        "on": {"type": "drift.detected", "filter": {"subject": "endpoints/flights/*", "data": {"deployment": "blue"}}},
        "create_job": command(
            "retrain ${{inputs.rate}} because ${{inputs.why}}", inputs={"rate": 0.5, "why": "nothing"}
        ),
        "inputs": {"why": "${{event.data.features.0.feature}} of ${{event.subject}}"},
    } | more


async def put(world: World, spec: dict[str, Any]) -> None:
    answer = await world.scheduler.put(f"/api/v1/triggers/{spec['name']}", json={"spec": spec})
    assert answer.status_code == 200, answer.text


async def fired(world: World, number: int) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]] | None:
        firings: list[dict[str, Any]] = (await world.scheduler.get("/api/v1/triggers/retrain")).json()["firings"]
        return firings if len([one for one in firings if one["status"] != "waiting"]) == number else None

    found = await eventually(look)
    assert found is not None
    return found


async def types(world: World, name: str, number: int = 1) -> list[Event[Any]]:
    async def look() -> list[Event[Any]] | None:
        found = [event for event in await events_of(world.nats_url) if event.type == full_type(name)]
        return found if len(found) >= number else None

    found = await eventually(look)
    assert found is not None
    return found


async def test_a_matching_event_submits_the_job_in_its_story(world: World) -> None:
    await put(world, trigger())
    event = drift()
    await publish(world, drift("others"), event)
    [firing] = await fired(world, 1)
    assert firing["status"] == "submitted"
    job = await world.job(firing["job"])
    assert job["trigger"] == "retrain"
    assert job["correlation_id"] == "story"
    assert job["steps"][0]["command"] == "retrain 0.5 because month of endpoints/flights/deployments/blue"
    [submitted] = await types(world, "job.submitted")
    assert (submitted.causationid, submitted.data.trigger) == (str(event.id), "retrain")
    [told] = await types(world, "schedule.fired")
    assert (told.data.job, told.data.event, told.causationid) == (job["name"], str(event.id), str(event.id))
    assert (told.data.event_type, told.data.event_subject) == ("drift.detected", event.subject)


async def test_an_event_that_comes_twice_fires_once(world: World) -> None:
    await put(world, trigger())
    event = drift()
    await publish(world, event, event, drift("flights", "other"))
    await fired(world, 2)
    assert len((await world.scheduler.get("/api/v1/jobs")).json()["items"]) == 2


async def test_within_the_cooldown_no_other_job_is_submitted(world: World) -> None:
    await put(world, trigger(cooldown=3600))
    await publish(world, drift(correlation="a"), drift(correlation="b"))
    await put(world, trigger(name="after"))
    await publish(world, drift(correlation="c"))

    async def after() -> list[Any]:
        firings: list[Any] = (await world.scheduler.get("/api/v1/triggers/after")).json()["firings"]
        return firings

    await eventually(after)
    assert len(await fired(world, 1)) == 1


async def test_events_from_before_the_trigger_do_not_fire_it(world: World) -> None:
    await put(world, trigger())
    await publish(world, drift(age_s=60), drift(correlation="now"))
    await fired(world, 1)
    [submitted] = await types(world, "job.submitted")
    assert submitted.correlationid == "now"


async def test_a_job_that_cannot_be_submitted_is_told_as_missed(world: World) -> None:
    await put(world, trigger(inputs={"why": "${{event.data.nothing}}"}))
    await publish(world, drift())
    [firing] = await fired(world, 1)
    assert firing["status"] == "missed"
    assert "event.data.nothing" in firing["detail"]
    [missed] = await types(world, "schedule.missed")
    assert missed.data.schedule == "retrain"
    assert "event.data.nothing" in missed.data.detail
    assert (await world.scheduler.get("/api/v1/jobs")).json()["items"] == []


async def test_a_trigger_that_causes_its_own_event_comes_to_an_end(world: World) -> None:
    spec = trigger(on={"type": "job.submitted"}, inputs={})
    await put(world, spec)
    await world.submit(command(), name="first")
    [missed, *_] = await types(world, "schedule.missed")
    assert "10 times" in missed.data.detail
    assert len((await world.scheduler.get("/api/v1/jobs")).json()["items"]) == 11


async def test_triggers_are_kept_changed_and_deleted(world: World) -> None:
    await put(world, trigger())
    await put(world, trigger(enabled=False))
    listed = (await world.scheduler.get("/api/v1/triggers")).json()
    assert [(item["name"], item["enabled"]) for item in listed["items"]] == [("retrain", False)]
    wrong = await world.scheduler.put("/api/v1/triggers/other", json={"spec": trigger()})
    assert wrong.json()["path"] == "name"
    broken = await world.scheduler.put("/api/v1/triggers/retrain", json={"spec": trigger(inputs={"whi": "x"})})
    assert broken.status_code == 400
    assert broken.json()["path"] == "inputs.whi"
    for elsewhere in ("azureml:job:1", {"job": "azureml:job:1"}):
        named = await world.scheduler.put(
            "/api/v1/triggers/retrain", json={"spec": trigger(create_job=elsewhere, inputs={})}
        )
        assert named.status_code == 400
        assert named.json()["path"].startswith("create_job")
    assert (await world.scheduler.delete("/api/v1/triggers/retrain")).status_code == 204
    assert (await world.scheduler.delete("/api/v1/triggers/retrain")).status_code == 404
    [made, changed] = await types(world, "trigger.updated", 2)
    [deleted] = await types(world, "trigger.deleted")
    assert (made.data.before, changed.data.before, changed.data.after["enabled"]) == (None, made.data.after, False)
    assert (deleted.data.before["enabled"], deleted.data.after) == (False, None)
