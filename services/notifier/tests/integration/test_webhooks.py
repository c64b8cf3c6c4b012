"""Events on their way to webhooks: signed, once, again when they were refused, and kept when they were given up."""

import base64
import hashlib
import hmac
import json
import time
from threading import Event as Flag

import asyncpg
import pytest
from services.notifier.tests.support import Publish, Receiver, Start, finished, heard, told

from modelyard_contracts import decode, short_type
from modelyard_contracts.notifier import AlertFired
from modelyard_contracts.registry import DataRegistered, ModelRegistered
from modelyard_testing.conditions import eventually

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
MODEL = ModelRegistered(name="flight-delay", version="3", job="brave_otter")


async def test_cloudevent_is_posted_and_signed(
    start: Start, publish: Publish, receiver: Receiver, database: str
) -> None:
    async with start() as client:
        await client.subscribe("ci", type="webhook", url=f"{receiver.url}/hook", secret=SECRET, events=["model.*"])
        event = await publish(MODEL)
        await publish(DataRegistered(name="d", version="1"))
        (delivery,) = await finished(client, "ci")

    (request,) = receiver.heard
    assert request.path == "/hook"
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert decode(request.body) == event
    # The signature as the specification describes it, computed apart from the notifier's code.
    signed = b".".join(
        [request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), request.body]
    )
    mac = hmac.digest(b"0123456789abcdef01234567", signed, hashlib.sha256)
    assert request.headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert (delivery["status"], delivery["attempts"], delivery["event"]) == ("delivered", 1, str(event.id))
    alerts = await told(database)
    assert [short_type(alert["type"]) for alert in alerts] == ["alert.fired", "alert.delivered"]
    for alert in alerts:
        assert (alert["data"]["subscription"], alert["data"]["event"]) == ("ci", str(event.id))
        assert (alert["causationid"], alert["correlationid"]) == (str(event.id), "story")


async def test_event_grid_names(start: Start, publish: Publish, receiver: Receiver) -> None:
    async with start() as client:
        await client.subscribe("azure", type="webhook", url=receiver.url, events=["*"], format="eventgrid")
        await publish(MODEL)
        await heard(receiver)
    body = json.loads(receiver.heard[0].body)
    assert body["type"] == "Microsoft.MachineLearningServices.ModelRegistered"
    assert body["data"]["name"] == "flight-delay"
    assert "webhook-signature" not in receiver.heard[0].headers


async def test_a_second_copy_is_not_delivered_again(start: Start, publish: Publish, receiver: Receiver) -> None:
    async with start() as client:
        await client.subscribe("ci", type="webhook", url=receiver.url, events=["*"])
        event = await publish(MODEL)
        await finished(client, "ci")
        await publish(MODEL, message_id="another-copy", id=event.id)
        last = await publish(ModelRegistered(name="flight-delay", version="4"))
        await finished(client, "ci", 2)
    assert sorted(json.loads(request.body)["id"] for request in receiver.heard) == sorted([str(event.id), str(last.id)])


async def test_only_what_matches(start: Start, publish: Publish, receiver: Receiver) -> None:
    async with start() as client:
        await client.subscribe(
            "mine", type="webhook", url=receiver.url, events=["model.registered"], subjects=["models/flight-*"]
        )
        await client.subscribe("off", type="webhook", url=receiver.url, events=["*"], enabled=False)
        await publish(AlertFired(subscription="x", delivery="d", event="e", event_type="model.registered"))
        await publish(ModelRegistered(name="other", version="1"))
        await publish(MODEL, workspace="elsewhere")
        wanted = await publish(MODEL)
        await finished(client, "mine")
        assert await client.deliveries("off") == []
    assert [json.loads(request.body)["id"] for request in receiver.heard] == [str(wanted.id)]


async def test_events_from_before_the_subscription_are_not_delivered(
    start: Start, publish: Publish, receiver: Receiver
) -> None:
    old = await publish(MODEL)
    async with start() as client:
        await client.subscribe("ci", type="webhook", url=receiver.url, events=["*"])
        await publish(MODEL, message_id="replayed", id=old.id, time=old.time)
        new = await publish(ModelRegistered(name="flight-delay", version="4"))
        await finished(client, "ci")
    assert [json.loads(request.body)["id"] for request in receiver.heard] == [str(new.id)]


async def test_receiver_down_then_up(start: Start, publish: Publish) -> None:
    receiver = Receiver()
    with receiver.up():
        url = receiver.url
    async with start() as client:
        await client.subscribe("ci", type="webhook", url=url, events=["*"])
        await publish(MODEL)

        async def refused_twice() -> bool:
            found = await client.deliveries("ci")
            return bool(found) and found[0]["attempts"] >= 2

        await eventually(refused_twice)
        (pending,) = await client.deliveries("ci")
        assert pending["status"] == "pending"
        assert "ConnectError" in pending["detail"]
        with receiver.up():
            (delivery,) = await finished(client, "ci")
    assert delivery["status"] == "delivered"
    assert len(receiver.heard) == 1


async def test_dead_letter_and_replay(start: Start, publish: Publish, receiver: Receiver, database: str) -> None:
    receiver.statuses = [500, 400, 503]
    async with start(max_attempts=3) as client:
        await client.subscribe("ci", type="webhook", url=receiver.url, events=["*"])
        await publish(MODEL)
        (dead,) = await finished(client, "ci")
        assert (dead["status"], dead["attempts"], dead["detail"]) == ("dead", 3, "HTTP 503")
        assert (await client.get("/api/v1/subscriptions/ci/deliveries?status=delivered")).json()["items"] == []
        assert (await client.get("/api/v1/subscriptions/ci/deliveries?status=dead")).json()["items"] == [dead]

        answer = await client.post(f"/api/v1/deliveries/{dead['id']}/replay")
        assert (answer.status_code, answer.json()["status"]) == (200, "pending")
        (delivery,) = await finished(client, "ci")
    assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
    assert len({request.headers["webhook-id"] for request in receiver.heard}) == 1
    assert len(receiver.heard) == 4
    kinds = [short_type(alert["type"]) for alert in await told(database)]
    assert kinds == ["alert.fired", "alert.dead_lettered", "alert.delivered"]


async def test_gone_switches_the_subscription_off(start: Start, publish: Publish, receiver: Receiver) -> None:
    receiver.statuses = [410]
    async with start() as client:
        await client.subscribe("ci", type="webhook", url=receiver.url, events=["*"])
        await publish(MODEL)
        (dead,) = await finished(client, "ci")
        found = (await client.get("/api/v1/subscriptions/ci")).json()
        assert (dead["status"], dead["attempts"]) == ("dead", 1)
        assert (found["enabled"], found["disabled_reason"]) == (False, "HTTP 410")
        again = await client.subscribe("ci", type="webhook", url=receiver.url, events=["*"])
        assert (again["enabled"], again["disabled_reason"]) == (True, None)


async def test_redirects_are_not_followed(start: Start, publish: Publish, receiver: Receiver) -> None:
    receiver.statuses = [302]
    receiver.headers = {"location": f"{receiver.url}/elsewhere"}
    async with start(max_attempts=1) as client:
        await client.subscribe("ci", type="webhook", url=f"{receiver.url}/here", events=["*"])
        await publish(MODEL)
        (dead,) = await finished(client, "ci")
    assert "redirects are not followed" in dead["detail"]
    assert [request.path for request in receiver.heard] == ["/here"]


async def test_a_hanging_receiver_delays_nobody_else(start: Start, publish: Publish, receiver: Receiver) -> None:
    hold = Flag()
    with Receiver(hold=hold).up() as hanging:
        async with start(in_flight=8, in_flight_per_subscription=2, timeout_s=20) as client:
            await client.subscribe("hanging", type="webhook", url=hanging.url, events=["*"])
            await client.subscribe("well", type="webhook", url=receiver.url, events=["*"])
            for number in range(12):
                await publish(ModelRegistered(name="m", version=str(number)))
            await finished(client, "well", 12)
            assert len(hanging.heard) == 2
            assert {found["status"] for found in await client.deliveries("hanging")} == {"pending"}
            hold.set()
            await finished(client, "hanging", 12)


async def test_a_killed_process_leaves_its_deliveries_to_another(
    start: Start, publish: Publish, receiver: Receiver, database: str
) -> None:
    """A lease that nobody holds any more, as kill -9 leaves it, runs out."""
    async with start() as client:
        await client.subscribe("ci", type="webhook", url=receiver.url, events=["*"])
        receiver.statuses = [500] * 3
        await publish(MODEL)
        await heard(receiver)
    connection = await asyncpg.connect(database)
    try:
        claimed = "update deliveries set leased_until = now() + interval '2 seconds', next_attempt_at = now() returning attempts"
        before = await connection.fetchval(claimed)
        before_it = len(receiver.heard)
        async with start() as client:
            (delivery,) = await finished(client, "ci")
        assert delivery["attempts"] > before
        assert len(receiver.heard) > before_it
    finally:
        await connection.close()


@pytest.mark.parametrize("secret", ["plain-secret-text", SECRET])
async def test_secrets_are_never_shown(
    secret: str,
    start: Start,
    publish: Publish,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    receiver.statuses = [500]
    async with start() as client:
        made = await client.subscribe(
            "ci", type="webhook", url=f"{receiver.url}/?token=sesame", secret=secret, events=["*"]
        )
        await publish(MODEL)
        await finished(client, "ci")
        shown = [
            (await client.get(path)).text
            for path in ("subscriptions", "subscriptions/ci", "subscriptions/ci/deliveries")
            for path in [f"/api/v1/{path}"]
        ]
        wrong = await client.put(
            "/api/v1/subscriptions/ci",
            json={"spec": {"type": "webhook", "url": "nowhere", "secret": secret, "events": ["*"]}},
        )
        kept = await client.subscribe("ci", type="webhook", url=made["url"], secret="***", events=["*"])
        await publish(MODEL)
        await finished(client, "ci", 2)
    assert made["secret"] == kept["secret"] == "***"
    assert made["url"].endswith("/?***")
    assert receiver.heard[-1].path == "/?token=sesame"
    assert receiver.heard[-1].headers["webhook-signature"]
    assert wrong.status_code == 400
    logged = [record.getMessage() for record in caplog.records if record.name.startswith(("notifier", "modelyard"))]
    for text in (*shown, wrong.text, *logged, *capfd.readouterr()):
        assert secret not in text
        assert "sesame" not in text
