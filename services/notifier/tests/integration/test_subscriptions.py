"""The routes of subscriptions: what is wrong is said, and who may not may not."""

import pytest
from services.notifier.tests.support import Start

SPEC = {"type": "webhook", "url": "https://example.com/hook", "events": ["model.*"]}


async def test_life_of_a_subscription(start: Start) -> None:
    async with start() as client:
        await client.subscribe("b", **SPEC)
        await client.subscribe("a", **SPEC)
        changed = await client.subscribe("a", **(SPEC | {"events": "drift.detected", "description": "for the team"}))
        assert (changed["events"], changed["description"], changed["created_by"]) == (
            ["drift.detected"],
            "for the team",
            "user:tester",
        )
        first = (await client.get("/api/v1/subscriptions?limit=1")).json()
        second = (await client.get(f"/api/v1/subscriptions?limit=1&cursor={first['next']}")).json()
        assert [found["name"] for page in (first, second) for found in page["items"]] == ["a", "b"]
        assert second["next"] is None
        assert (await client.delete("/api/v1/subscriptions/a")).status_code == 204
        missing = await client.get("/api/v1/subscriptions/a")
        assert (missing.status_code, missing.json()["exists"]) == (404, ["b"])
        assert (await client.delete("/api/v1/subscriptions/a")).status_code == 404
        assert (await client.get("/api/v1/subscriptions/a/deliveries")).status_code == 404


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"type": "pigeon"}, "type"),
        ({"url": "ftp://example.com"}, ""),
        ({"type": "chat", "url": "syslog://localhost"}, "url"),
        ({"type": "chat", "url": "http:///nowhere"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["model"]}, "events[0]"),
        ({"colour": "red"}, "colour"),
        ({"name": "other"}, "name"),
        ({"secret": "***"}, "secret"),
        ({"secret": "whsec_###"}, "secret"),
        ({"url": "https://***@example.com/hook"}, "url"),
    ],
)
async def test_what_is_wrong_is_said(start: Start, change: dict[str, object], path: str) -> None:
    async with start() as client:
        answer = await client.put("/api/v1/subscriptions/mine", json={"spec": SPEC | change})
        assert (answer.status_code, answer.json()["path"]) == (400, path), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await client.get("/api/v1/subscriptions")).json()["items"] == []


async def test_roles(start: Start) -> None:
    async with start() as client:
        client.be("reader")
        assert (await client.put("/api/v1/subscriptions/a", json={"spec": SPEC})).status_code == 403
        assert (await client.get("/api/v1/subscriptions")).status_code == 200
        del client.headers["authorization"]
        assert (await client.get("/api/v1/subscriptions")).status_code == 401


async def test_replaying_what_is_not_there(start: Start) -> None:
    async with start() as client:
        for id_ in ("nonsense", "00000000-0000-0000-0000-000000000000"):
            assert (await client.post(f"/api/v1/deliveries/{id_}/replay")).status_code == 404
        answer = await client.get("/api/v1/subscriptions?cursor=")
        assert answer.status_code == 200
