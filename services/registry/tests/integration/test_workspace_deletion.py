"""A workspace goes when nothing stands in it any more, and what does is said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from services.registry.tests.integration.test_scopes import within

from modelyard_contracts import EventData
from modelyard_contracts.drift_monitor import MonitorDeleted, MonitorUpdated
from modelyard_contracts.notifier import SubscriptionDeleted, SubscriptionUpdated
from modelyard_contracts.scheduler import (
    JobCanceled,
    JobCompleted,
    JobFailed,
    JobStarted,
    JobSubmitted,
    TriggerDeleted,
    TriggerUpdated,
)
from modelyard_contracts.serving import (
    DeploymentDeleted,
    DeploymentFailed,
    DeploymentRequested,
    EndpointCreated,
    EndpointDeleted,
)
from modelyard_contracts.workspaces import ConnectionDeleted, ConnectionUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import create_pool, transaction
from modelyard_testing.conditions import eventually

LAB = "/api/v1/workspaces/lab"
JOB: dict[str, Any] = {"job": "brave_otter", "kind": "command"}
BLUE: dict[str, Any] = {"endpoint": "flights", "deployment": "blue", "generation": 1}
WATCH: dict[str, Any] = {"monitor": "drift", "endpoint": "flights", "deployment": "blue"}
STANDING: list[tuple[str, list[EventData], EventData]] = [
    ("endpoints/flights", [EndpointCreated(endpoint="flights")], EndpointDeleted(endpoint="flights")),
    (
        "endpoints/flights/deployments/blue",
        [DeploymentRequested(**BLUE), DeploymentFailed(**BLUE, detail="broke")],
        DeploymentDeleted(**BLUE),
    ),
    ("jobs/brave_otter", [JobSubmitted(**JOB), JobStarted(**JOB)], JobCompleted(**JOB)),
    ("jobs/brave_otter", [JobSubmitted(**JOB)], JobFailed(**JOB, detail="broke")),
    ("jobs/brave_otter", [JobSubmitted(**JOB)], JobCanceled(**JOB)),
    ("triggers/nightly", [TriggerUpdated(trigger="nightly", after={})], TriggerDeleted(trigger="nightly", before={})),
    ("monitors/drift", [MonitorUpdated(**WATCH, after={})], MonitorDeleted(**WATCH, before={})),
    (
        "subscriptions/chat",
        [SubscriptionUpdated(subscription="chat", after={})],
        SubscriptionDeleted(subscription="chat", before={}),
    ),
    ("connections/hub", [ConnectionUpdated(name="hub", after={})], ConnectionDeleted(name="hub", before={})),
]
Happened = Callable[[EventData], Awaitable[None]]


@pytest.fixture
async def happened(api: httpx.AsyncClient, database: str) -> AsyncIterator[Happened]:
    """Events of other services in the workspace `lab`, heard by the registry."""
    pool = await create_pool(database, service="test")

    async def add(data: EventData) -> None:
        async with transaction(pool) as tx:
            cause = Cause(actor="service:elsewhere", correlation_id="story", workspace="lab")
            event = await outbox.add(tx, "elsewhere", data, cause)

        async def heard() -> bool:
            query = {"subject": data.subject, "type": data.TYPE}
            found = (await api.get("/api/v1/events", params=query, headers=within("lab"))).json()["items"]
            return str(event.id) in {item["id"] for item in found}

        await eventually(heard)

    yield add
    await pool.close()


@pytest.mark.parametrize(("subject", "story", "end"), STANDING, ids=lambda value: getattr(value, "TYPE", None))
async def test_what_stands_in_a_workspace_keeps_it(
    api: httpx.AsyncClient, happened: Happened, subject: str, story: list[EventData], end: EventData
) -> None:
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    for event in story:
        await happened(event)
    refused = await api.delete(LAB)
    assert (refused.status_code, refused.json()["code"]) == (412, "workspace_in_use"), refused.text
    assert refused.json()["standing"] == [subject]
    assert subject in refused.json()["detail"]
    await happened(end)
    assert (await api.delete(LAB)).status_code == 204


async def test_what_was_deleted_and_made_again_stands(api: httpx.AsyncClient, happened: Happened) -> None:
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    for event in (EndpointCreated(endpoint="e"), EndpointDeleted(endpoint="e"), EndpointCreated(endpoint="e")):
        await happened(event)
    assert (await api.delete(LAB)).json()["standing"] == ["endpoints/e"]


async def test_what_is_registered_is_said_first_and_all_is_counted(api: httpx.AsyncClient, happened: Happened) -> None:
    await api.post("/api/v1/workspaces", json={"name": "lab"})
    for number in range(11):
        spec = {"spec": {"name": f"m{number:02}", "path": "https://example.com/m"}}
        await api.post("/api/v1/models", json=spec, headers=within("lab"))
    await happened(EndpointCreated(endpoint="e"))
    problem = (await api.delete(LAB)).json()
    assert problem["standing"] == [*(f"models/m{number:02}" for number in range(11)), "endpoints/e"]
    assert problem["detail"].count("models/m") == 10
    assert "and 2 more" in problem["detail"]
