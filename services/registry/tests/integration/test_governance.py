"""Promotion, the delete guard, the event log, and the answer to "why is this live?"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_contracts import EventData
from modelyard_contracts.builder import ModelConverted
from modelyard_contracts.drift_monitor import DriftDetected, MonitorUpdated
from modelyard_contracts.registry import DataRegistered
from modelyard_contracts.scheduler import JobCompleted, JobSubmitted, TriggerUpdated
from modelyard_contracts.serving import (
    DeploymentDeleted,
    DeploymentFailed,
    DeploymentReady,
    DeploymentRequested,
    EndpointTrafficChanged,
)
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, create_pool, transaction
from modelyard_testing.conditions import eventually
from registry.settings import Settings

CAUSE = Cause(actor="service:elsewhere", correlation_id="story")


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await create_pool(settings.postgres_dsn.get_secret_value(), service="test")
    yield pool
    await pool.close()


async def happened(pool: Pool, api: httpx.AsyncClient, data: EventData, cause: Cause = CAUSE) -> str:
    """An event of another service, as the registry hears it; its id, once the log has it."""
    async with transaction(pool) as tx:
        event = await outbox.add(tx, "elsewhere", data, cause)

    async def logged() -> bool:
        answer = await api.get("/api/v1/events", params={"subject": data.subject, "type": data.TYPE})
        return any(item["id"] == str(event.id) for item in answer.json()["items"])

    await eventually(logged)
    return str(event.id)


async def test_a_promotion_is_decided_by_its_criterion(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        await register_outside(api, "flight-delay")
    await api.put("/api/v1/models/flight-delay/aliases/champion", json={"version": "1"})
    request = {
        "model": "flight-delay",
        "candidate": "2",
        "criterion": "candidate.auc > champion.auc",
        "evidence": {"candidate": {"auc": 0.8}, "champion": {"auc": 0.7}, "rows": 1000},
    }
    once = {"Idempotency-Key": "p-1"}
    approved = await api.post("/api/v1/promotions", json=request, headers=once)
    assert (await api.post("/api/v1/promotions", json=request, headers=once)).json() == approved.json()
    assert approved.status_code == 201
    assert (approved.json()["status"], approved.json()["champion"]) == ("approved", "1")

    request["evidence"] = {"candidate": {"auc": 0.6}, "champion": {"auc": 0.7}}
    rejected = await api.post("/api/v1/promotions", json=request)
    assert rejected.json()["status"] == "rejected"
    assert "does not hold" in rejected.json()["detail"]

    async def decided() -> list[str]:
        items = (await api.get("/api/v1/events", params={"subject": "models/flight-delay/versions/2"})).json()["items"]
        return [item["type"] for item in sorted(items, key=lambda item: item["sequence"])] if len(items) == 5 else []

    assert await eventually(decided) == [
        "model.registered",
        "promotion.requested",
        "promotion.approved",
        "promotion.requested",
        "promotion.rejected",
    ]


async def test_a_deployed_version_cannot_be_deleted(api: httpx.AsyncClient, pool: Pool) -> None:
    await register_outside(api, "m")
    deployment: dict[str, Any] = {"endpoint": "e", "deployment": "blue", "generation": 1}
    await happened(pool, api, DeploymentRequested(**deployment, model="m:1"))

    async def refused() -> httpx.Response | None:
        answer = await api.request("DELETE", "/api/v1/models/m/versions/1", headers={"Modelyard-Reason": "clean up"})
        return answer if answer.status_code == 412 else None

    refusal = await eventually(refused)
    assert refusal is not None
    assert refusal.json()["used_by"] == ["endpoints/e/deployments/blue"]

    await happened(pool, api, DeploymentDeleted(**deployment))

    async def deleted() -> bool:
        return (await api.delete("/api/v1/models/m/versions/1")).status_code == 204

    await eventually(deleted)


async def test_a_failed_update_leaves_the_live_version_guarded(api: httpx.AsyncClient, pool: Pool) -> None:
    for _ in range(2):
        await register_outside(api, "m")
    deployment: dict[str, Any] = {"endpoint": "e", "deployment": "blue"}
    await happened(pool, api, DeploymentReady(**deployment, generation=1, model="m:1"))
    await happened(pool, api, DeploymentRequested(**deployment, generation=2, model="m:2"))
    await happened(pool, api, DeploymentFailed(**deployment, generation=2, model="m:2", detail="init() raised"))

    async def both_guarded() -> bool:
        answers = [await api.delete(f"/api/v1/models/m/versions/{version}") for version in ("1", "2")]
        return [answer.status_code for answer in answers] == [412, 412]

    await eventually(both_guarded)


async def test_why_is_answered_by_the_whole_chain(api: httpx.AsyncClient, pool: Pool) -> None:
    window = {
        "window": 1,
        "rows": 500,
        "baseline_rows": 5000,
        "window_start": "2013-06-01T00:00Z",
        "window_end": "2013-06-02T00:00Z",
    }
    drift = await happened(
        pool, api, DriftDetected.model_validate({"monitor": "m", "endpoint": "flights", "deployment": "blue", **window})
    )
    job = {"job": "retrain_1", "kind": "pipeline"}
    await happened(
        pool, api, JobSubmitted.model_validate(job | {"trigger": "on-drift"}), replace(CAUSE, causation_id=drift)
    )
    await register_outside(api, "flight-delay", job="retrain_1")
    await happened(pool, api, JobCompleted.model_validate(job))
    await happened(
        pool, api, ModelConverted(name="flight-delay", version="1", tree="0" * 64, max_abs_difference=1e-7, rows=100)
    )
    green = {"endpoint": "flights", "deployment": "green", "generation": 1, "model": "flight-delay:1"}
    requested = await happened(pool, api, DeploymentRequested.model_validate(green))
    await happened(pool, api, DeploymentReady.model_validate(green), replace(CAUSE, causation_id=requested))
    live = EndpointTrafficChanged(
        endpoint="flights", traffic={"blue": 0, "green": 100}, models={"green": "flight-delay:1"}
    )
    await happened(pool, api, live, replace(CAUSE, actor="user:ada", reason="better on held-out rows"))

    answer = (await api.get("/api/v1/why/endpoint/flights")).json()
    types = [fact["type"] for fact in answer["chain"]]
    assert types == [
        "drift.detected",
        "job.submitted",
        "model.registered",
        "model.converted",
        "deployment.requested",
        "deployment.ready",
        "endpoint.traffic_changed",
    ]
    last = answer["chain"][-1]
    assert (last["actor"], last["reason"]) == ("user:ada", "better on held-out rows")
    ids = {fact["id"] for fact in answer["chain"]}
    assert all(set(fact["because"]) <= ids for fact in answer["chain"])
    assert answer["chain"][1]["because"] == [drift]


async def test_why_reaches_the_data_and_whoever_set_the_automatism_up(api: httpx.AsyncClient, pool: Pool) -> None:
    await happened(pool, api, DataRegistered(name="flights", version="1"))
    await happened(pool, api, TriggerUpdated(trigger="on-drift", after={"enabled": True}))
    watching = {"monitor": "m", "endpoint": "e", "deployment": "blue"}
    await happened(pool, api, MonitorUpdated.model_validate(watching | {"references": ["flights:1"]}))
    window = {"window": 1, "rows": 1, "baseline_rows": 1}
    times = {"window_start": "2013-06-01T00:00Z", "window_end": "2013-06-02T00:00Z"}
    drift = await happened(pool, api, DriftDetected.model_validate(watching | window | times))
    job = JobSubmitted(job="j", kind="command", trigger="on-drift", uses=["data/flights/versions/1"])
    await happened(pool, api, job, replace(CAUSE, causation_id=drift))
    deployment: dict[str, Any] = {"endpoint": "e", "deployment": "blue", "generation": 1}
    await happened(pool, api, DeploymentRequested(**deployment))
    await happened(pool, api, DeploymentReady(**deployment))

    async def chain(what: str) -> list[str]:
        answer = await api.get(f"/api/v1/why/{what}")
        assert answer.status_code == 200, answer.text
        return [fact["type"] for fact in answer.json()["chain"]]

    made = ["data.registered", "trigger.updated", "monitor.updated", "drift.detected", "job.submitted"]
    assert await chain("job/j") == made
    assert await chain("data/flights:1") == ["data.registered"]
    assert await chain("monitor/m") == ["data.registered", "monitor.updated"]
    assert await chain("deployment/e/blue") == ["deployment.requested", "deployment.ready"]
    assert (await api.get("/api/v1/why/deployment/blue")).status_code == 400


async def test_why_of_something_unknown_is_a_404(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/v1/why/endpoint/nobody")).status_code == 404
    assert (await api.get("/api/v1/why/cat/felix")).status_code == 400


async def test_a_token_is_shown_once_and_can_be_revoked(
    api: httpx.AsyncClient, as_role: Callable[[str], dict[str, str]]
) -> None:
    made = (await api.post("/api/v1/tokens", json={"name": "ci", "role": "deployer"})).json()
    assert (await api.post("/api/v1/tokens", json={"name": "ci", "role": "owner"})).status_code == 409
    listed = await api.get("/api/v1/tokens")
    assert made["token"] not in listed.text

    verify = {"token": made["token"]}
    assert (await api.post("/internal/v1/tokens/verify", json=verify)).status_code == 403
    who = await api.post("/internal/v1/tokens/verify", json=verify, headers=as_role("service"))
    assert who.json() == {"actor": "user:ci", "role": "deployer", "workspace": "default"}
    await api.delete("/api/v1/tokens/ci")
    assert (await api.post("/internal/v1/tokens/verify", json=verify, headers=as_role("service"))).status_code == 401
