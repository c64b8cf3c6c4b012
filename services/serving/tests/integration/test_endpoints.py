"""Endpoints through the API: addresses, keys, traffic, and what the edges are told of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import httpx
import nats
import pytest
from services.serving.tests.integration.running import Served, became_ready, put, register, told

from modelyard_platform.objects import ObjectStore
from modelyard_testing.identities import bearer
from serving.usecases.publishing import publish_all


async def entry(served: Served, name: str) -> dict[str, object] | None:
    """What the edges have been told of an endpoint."""
    found = (await served.parts.routes.endpoints()).get(name)
    return found.entry if found else None


async def test_an_endpoint_is_created_once_and_can_be_changed(served: Served) -> None:
    created = await served.api.put(
        "/api/v1/endpoints/flights", json={"spec": {"auth_mode": "aml_token", "tags": {"team": "ops"}}}
    )
    assert created.status_code == 201
    document = created.json()
    assert document["scoring_uri"] == "http://modelyard.test/endpoints/flights/score"
    assert (document["provisioning_state"], document["traffic"], document["ignored"]) == (
        "Succeeded",
        {},
        ["auth_mode"],
    )
    changed = await served.api.put(
        "/api/v1/endpoints/flights", json={"spec": {"name": "flights", "description": "late or not"}}
    )
    assert (changed.status_code, changed.json()["description"]) == (200, "late or not")
    events = await told(served.parts)
    assert [kind for kind, _ in events] == ["endpoint.created", "endpoint.updated"]
    assert events[1][1]["data"]["before"]["tags"] == {"team": "ops"}
    assert events[1][1]["data"]["after"] == {"name": "flights", "description": "late or not"}
    page = (await served.api.get("/api/v1/endpoints")).json()
    assert ([item["name"] for item in page["items"]], page["next"]) == (["flights"], None)
    route = await entry(served, "flights")
    assert route is not None
    assert (route["traffic"], route["deployments"]) == ({}, [])


@pytest.mark.parametrize(
    ("name", "spec", "path"),
    [
        ("flights", {"auth_mod": "key"}, "auth_mod"),
        ("flights", {"name": "other"}, "name"),
        ("1flights", {}, "name"),
        ("flights", {"traffic": {"blue": 90}}, ""),
        ("flights", {"traffic": {"blue": 100}}, None),
    ],
)
async def test_a_bad_spec_stores_nothing(served: Served, name: str, spec: dict[str, object], path: str | None) -> None:
    refused = await served.api.put(f"/api/v1/endpoints/{name}", json={"spec": spec})
    assert refused.status_code == (404 if path is None else 400), refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json().get("path") == path
    assert (await served.api.get("/api/v1/endpoints")).json()["items"] == []
    assert await told(served.parts) == []


async def test_another_workspaces_endpoint_is_neither_seen_nor_taken(served: Served) -> None:
    await put(served.api, "flights", {})
    other = bearer(workspace="other")
    assert (await served.api.get("/api/v1/endpoints/flights", headers=other)).status_code == 404
    taken = await served.api.put("/api/v1/endpoints/flights", json={"spec": {}}, headers=other)
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    missing = await served.api.get("/api/v1/endpoints/fligths")
    assert (missing.status_code, missing.json()["exists"]) == (404, ["flights"])


async def test_keys_are_shown_to_deployers_and_their_hashes_to_edges(served: Served) -> None:
    await put(served.api, "flights", {})
    keys = (await served.api.get("/api/v1/endpoints/flights/keys", headers=bearer("deployer"))).json()
    assert set(keys) == {"primaryKey", "secondaryKey"}
    assert (await served.api.get("/api/v1/endpoints/flights/keys", headers=bearer("contributor"))).status_code == 403
    assert (await served.api.get("/api/v1/endpoints/flights/keys", headers={"Authorization": ""})).status_code == 401
    route = await entry(served, "flights")
    assert route is not None
    assert route["keys"] == [
        hashlib.sha256(keys[which].encode()).hexdigest() for which in ("primaryKey", "secondaryKey")
    ]


async def test_a_regenerated_key_replaces_one_and_only_once(served: Served) -> None:
    await put(served.api, "flights", {})
    before = (await served.api.get("/api/v1/endpoints/flights/keys")).json()
    url, once = "/api/v1/endpoints/flights/keys/regenerate", {"Idempotency-Key": "k1"}
    after = (await served.api.post(url, json={"keyType": "primary"}, headers=once)).json()
    again = (await served.api.post(url, json={"keyType": "primary"}, headers=once)).json()
    assert after == again == (await served.api.get("/api/v1/endpoints/flights/keys")).json()
    assert after["secondaryKey"] == before["secondaryKey"]
    assert after["primaryKey"] != before["primaryKey"]
    route = await entry(served, "flights")
    assert route is not None
    assert hashlib.sha256(after["primaryKey"].encode()).hexdigest() in str(route["keys"])
    assert (await served.api.post(url, json={"keyType": "third"})).status_code == 400
    events = [envelope["data"] for kind, envelope in await told(served.parts) if kind == "endpoint.key_regenerated"]
    assert events == [{"endpoint": "flights", "key": "primary"}]


async def test_traffic_goes_to_ready_deployments_and_the_edges_are_told(
    served: Served, registry: httpx.AsyncClient, blobs: ObjectStore, tmp_path: Path
) -> None:
    model = await register(registry, blobs, tmp_path / "m")
    await put(served.api, "flights", {})
    for name in ("blue", "green", "red"):
        await put(served.api, f"flights/deployments/{name}", {"model": f"azureml:{model}"})
    for name in ("blue", "green"):
        await became_ready(served.parts, "flights", name)
    for traffic, status, code in (
        ({"blue": 90}, 400, "traffic_invalid"),
        ({"red": 100}, 412, "deployment_not_ready"),
        ({"purple": 100}, 404, "deployment_not_found"),
    ):
        refused = await served.api.put("/api/v1/endpoints/flights/traffic", json={"traffic": traffic})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    mirrored = await served.api.put(
        "/api/v1/endpoints/flights/traffic", json={"traffic": {"blue": 100}, "mirror": {"green": 10}}
    )
    assert (mirrored.status_code, mirrored.json()["path"]) == (400, "mirror")

    body = {"traffic": {"blue": 90, "green": 10, "red": 0}}
    reason = {"Modelyard-Reason": "try green"}
    for _ in range(2):
        split = await served.api.put("/api/v1/endpoints/flights/traffic", json=body, headers=reason)
        assert split.json()["traffic"] == {"blue": 90, "green": 10}
    changes = [envelope for kind, envelope in await told(served.parts) if kind == "endpoint.traffic_changed"]
    assert len(changes) == 1, "the same split again is no change"
    assert changes[0]["data"] == {
        "endpoint": "flights",
        "traffic": {"blue": 90, "green": 10},
        "previous": {},
        "models": {"blue": model, "green": model},
    }
    assert (changes[0]["actor"], changes[0]["reason"]) == ("user:ada", "try green")
    route = await entry(served, "flights")
    assert route is not None
    assert route["traffic"] == {"blue": 90, "green": 10}
    assert (route["deployments"], route["generations"]) == (["blue", "green"], {"blue": 1, "green": 1})
    assert (route["timeout_ms"], route["max_body_bytes"]) == (7000, 4 << 20)

    refused = await served.api.delete("/api/v1/endpoints/flights/deployments/green")
    assert (refused.status_code, refused.json()["code"]) == (412, "deployment_has_traffic")


async def test_an_endpoint_without_deployments_is_gone_at_once(served: Served) -> None:
    await put(served.api, "flights", {})
    assert (await served.api.delete("/api/v1/endpoints/flights")).status_code == 202
    assert (await served.api.get("/api/v1/endpoints/flights")).status_code == 404
    assert await entry(served, "flights") is None
    assert [kind for kind, _ in await told(served.parts)] == ["endpoint.created", "endpoint.deleted"]


async def test_a_lost_bucket_is_filled_again_and_what_is_gone_is_removed(served: Served, nats_url: str) -> None:
    await put(served.api, "flights", {})
    before = await entry(served, "flights")
    connection = await nats.connect(nats_url)
    try:
        routes = await connection.jetstream().key_value("routes")
        await routes.delete("endpoint.flights")
        await routes.put("endpoint.ghost", b'{"name": "ghost"}')
    finally:
        await connection.close()
    await publish_all(served.parts)
    assert await entry(served, "flights") == before
    assert await entry(served, "ghost") is None
