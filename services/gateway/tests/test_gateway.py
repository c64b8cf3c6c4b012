"""The gateway in front of a real registry, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256

import httpx
import pytest
from pydantic import SecretStr

from gateway.app import build as build_gateway
from gateway.settings import Settings
from modelyard_platform import identity
from modelyard_platform.cause import Identity
from modelyard_testing.apps import app_server
from modelyard_testing.conditions import eventually
from modelyard_testing.plugin import Bucket
from registry.app import build as build_registry
from registry.settings import Settings as RegistrySettings

KEY = "test-key-of-at-least-thirty-two-bytes"
TOKEN = "the-owners-token"
OWNER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="session")
def service_package() -> str:
    return "registry"


@pytest.fixture
async def gateway(database: str, nats_url: str, bucket: Bucket) -> AsyncIterator[httpx.AsyncClient]:
    registry = build_registry(
        RegistrySettings(
            postgres_dsn=SecretStr(database),
            nats_url=nats_url,
            identity_key=SecretStr(KEY),
            **bucket.settings,
            owner_token_sha256=sha256(TOKEN.encode()).hexdigest(),
        )
    )
    with app_server(lambda: registry) as running_registry:
        dead = "http://127.0.0.1:9"
        settings = Settings(
            identity_key=SecretStr(KEY),
            nats_url=nats_url,
            registry_url=running_registry.url,
            scheduler_url=dead,
            serving_url=dead,
        )
        with app_server(lambda: build_gateway(settings)) as running:
            async with httpx.AsyncClient(base_url=running.url, timeout=20) as client:
                yield client


async def test_only_who_is_known_comes_in(gateway: httpx.AsyncClient) -> None:
    assert (await gateway.get("/api/v1/models")).status_code == 401
    wrong = await gateway.get("/api/v1/models", headers={"Authorization": "Bearer guess"})
    assert wrong.status_code == 401
    assert wrong.headers["content-type"] == "application/problem+json"
    assert (await gateway.get("/api/v1/whoami", headers=OWNER)).json()["actor"] == "user:owner"
    assert (await gateway.get("/api/v1/models", headers=OWNER)).json() == {"items": [], "next": None}


async def test_an_identity_between_services_is_no_way_in(gateway: httpx.AsyncClient) -> None:
    inner = identity.sign(KEY, Identity(actor="service:x", role="service"), issuer="x")
    assert (await gateway.get("/api/v1/models", headers={"Authorization": f"Bearer {inner}"})).status_code == 401
    step = identity.sign(KEY, Identity(actor="job:a", role="contributor"), issuer="scheduler", audience="gateway")
    who = await gateway.get("/api/v1/whoami", headers={"Authorization": f"Bearer {step}"})
    assert who.json() == {"actor": "job:a", "role": "contributor", "workspace": "default"}


async def test_a_change_carries_its_cause(gateway: httpx.AsyncClient) -> None:
    cause = {
        "Modelyard-Correlation-Id": "story-7",
        "Modelyard-Reason": "trained elsewhere",
        "Modelyard-Causation-Id": "e-1",
    }
    body = {"spec": {"name": "m", "path": "https://example.com/m"}}
    assert (await gateway.post("/api/v1/models", json=body, headers=OWNER | cause)).status_code == 201

    async def logged() -> list[dict[str, str]]:
        answer = await gateway.get("/api/v1/events", params={"correlation": "story-7"}, headers=OWNER)
        items: list[dict[str, str]] = answer.json()["items"]
        return items

    [event] = await eventually(logged)
    assert (event["actor"], event["reason"], event["causation_id"]) == ("user:owner", "trained elsewhere", "e-1")


async def test_a_reason_may_be_in_any_language(gateway: httpx.AsyncClient) -> None:
    reason = "verspätete Flüge"
    body = {"spec": {"name": "m", "path": "https://example.com/m"}}
    headers = [(b"authorization", OWNER["Authorization"].encode()), (b"modelyard-reason", reason.encode())]
    assert (await gateway.post("/api/v1/models", json=body, headers=headers)).status_code == 201

    async def logged() -> list[str]:
        answer = await gateway.get("/api/v1/events", params={"type": "model.registered"}, headers=OWNER)
        return [event["reason"] for event in answer.json()["items"]]

    assert await eventually(logged) == [reason]


async def test_a_service_that_is_down_is_a_503_and_an_unknown_path_a_404(gateway: httpx.AsyncClient) -> None:
    down = await gateway.get("/api/v1/jobs", headers=OWNER)
    assert down.status_code == 503
    assert "scheduler does not answer" in down.json()["detail"]
    unknown = await gateway.get("/api/v1/cats", headers=OWNER)
    assert unknown.status_code == 404
    assert "there are" in unknown.json()["detail"]
    assert (await gateway.get("/internal/v1/tokens/verify", headers=OWNER)).status_code == 404


@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        (b"/api/v1/models/%1B%00", 400, b"name"),
        (b"/api/v1/models/caf\xc3\xa9/versions", 400, b"invalid http"),
        (b"/api/v1/models/a%25%3Fb", 400, b"name"),
        (b"/api/v1/models?search=caf%C3%A9", 200, b"items"),
        (b"/api/v1/models/..%2F..%2F..%2Finternal%2Fv1%2Fexternal", 404, b"leads nowhere"),
        (b"/api/v1/models/../../../internal/v1/external", 404, b"leads nowhere"),
    ],
)
async def test_a_path_reaches_its_owner_as_it_came(
    gateway: httpx.AsyncClient, target: bytes, status: int, said: bytes
) -> None:
    """As bytes on the wire: a client's library would mend some of them."""
    reader, writer = await asyncio.open_connection(gateway.base_url.host, gateway.base_url.port)
    head = b"GET %s HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\nauthorization: %s\r\n\r\n"
    writer.write(head % (target, OWNER["Authorization"].encode()))
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert said in answer.partition(b"\r\n\r\n")[2].lower()


@pytest.mark.parametrize("last", ["-1", "x", "9" * 30, "٣"])
async def test_a_place_in_the_stream_is_a_number_it_gave(gateway: httpx.AsyncClient, last: str) -> None:
    answer = await gateway.get("/api/v1/events/stream", params={"since": last}, headers=OWNER)
    assert answer.status_code == 400
    assert "that this stream gave" in answer.json()["detail"]


async def test_a_dead_letter_has_a_number(gateway: httpx.AsyncClient) -> None:
    for number in (-1, 0, 1 << 63, "x"):
        assert (await gateway.post(f"/api/v1/dead-letters/{number}/replay", headers=OWNER)).status_code == 400


async def next_event(lines: AsyncIterator[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    async for line in lines:
        if not line and "data" in found:
            return found
        name, _, value = line.partition(": ")
        if name:
            found[name] = value
    raise AssertionError("the stream ended")


async def test_events_stream_live_and_a_returning_client_misses_none(gateway: httpx.AsyncClient) -> None:
    async def register(name: str) -> None:
        body = {"spec": {"name": name, "path": "https://example.com/m"}}
        assert (await gateway.post("/api/v1/models", json=body, headers=OWNER)).status_code == 201

    params = {"type": "model.*"}
    async with gateway.stream("GET", "/api/v1/events/stream", params=params, headers=OWNER) as answer:
        lines = answer.aiter_lines()
        assert await anext(lines) == ": connected"
        await register("first")
        async with asyncio.timeout(10):
            first = await next_event(lines)
    assert first["event"] == "model.registered"
    assert '"subject":"models/first/versions/1"' in first["data"]

    await register("second")
    again = OWNER | {"Last-Event-ID": first["id"]}
    async with gateway.stream("GET", "/api/v1/events/stream", params=params, headers=again) as answer:
        async with asyncio.timeout(10):
            second = await next_event(answer.aiter_lines())
    assert '"subject":"models/second/versions/1"' in second["data"]


async def test_the_page_shows_what_is_there_to_who_signed_in(gateway: httpx.AsyncClient) -> None:
    assert (await gateway.get("/")).headers["location"] == "/login"
    refused = await gateway.post("/login", data={"token": "guess"})
    assert refused.status_code == 401
    assert "not known" in refused.text

    body = {"spec": {"name": "flight-delay", "path": "https://example.com/m"}}
    await gateway.post("/api/v1/models", json=body, headers=OWNER)
    signed_in = await gateway.post("/login", data={"token": TOKEN})
    assert signed_in.headers["location"] == "/"
    cookie = signed_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie

    page = await gateway.get("/")
    assert page.status_code == 200
    assert "flight-delay" in page.text
    assert "scheduler does not answer" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]

    change = await gateway.post("/api/v1/models", json=body)  # the cookie is sent, but may only read
    assert change.status_code == 403


async def test_dead_letters_of_all_workspaces_are_the_first_ones_owners_to_see(gateway: httpx.AsyncClient) -> None:
    made = await gateway.post("/api/v1/workspaces", json={"name": "lab"}, headers=OWNER)
    lab = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await gateway.get("/api/v1/dead-letters", headers=OWNER)).json()["items"] == []
    assert (await gateway.get("/api/v1/dead-letters", headers=lab)).status_code == 403
    assert (await gateway.post("/api/v1/dead-letters/1/replay", headers=lab)).status_code == 403
