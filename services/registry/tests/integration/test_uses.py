"""What stands on a version keeps it from being deleted, and is said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_contracts import EventData
from modelyard_contracts.scheduler import (
    JobCanceled,
    JobCompleted,
    JobFailed,
    JobSubmitted,
    TriggerDeleted,
    TriggerUpdated,
)
from modelyard_contracts.serving import (
    DeploymentDegraded,
    DeploymentDeleted,
    DeploymentFailed,
    DeploymentReady,
    DeploymentRequested,
)
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import create_pool, transaction
from modelyard_testing.conditions import eventually

CAUSE = Cause(actor="service:elsewhere", correlation_id="story")
MODEL = "/api/v1/models/flight-delay/versions/1"
JOB: dict[str, Any] = {"job": "brave_otter", "kind": "command"}
Happened = Callable[..., Awaitable[None]]


@pytest.fixture
async def happened(database: str) -> AsyncIterator[Happened]:
    """Events of other services."""
    pool = await create_pool(database, service="test")

    async def add(data: EventData, workspace: str = "default") -> None:
        async with transaction(pool) as tx:
            await outbox.add(tx, "elsewhere", data, replace(CAUSE, workspace=workspace))

    yield add
    await pool.close()


async def held_by(api: httpx.AsyncClient, path: str, user: str) -> None:
    """Wait until the version is known to be used by `user`; then deleting it is refused, saying so."""
    listed = path.split("/versions", maxsplit=1)[0].rsplit("/", 1)[0]
    search = {"search": f"used-by:{user.split(' ', maxsplit=1)[0]}"}

    async def known() -> bool:
        return bool((await api.get(listed, params=search)).json()["items"])

    await eventually(known)
    answer = await api.delete(path)
    assert answer.status_code == 412, answer.text
    assert answer.json()["used_by"] == [user]


async def let_go(api: httpx.AsyncClient, path: str) -> None:
    """Wait until it can be deleted."""

    async def deleted() -> bool:
        return (await api.delete(path)).status_code == 204

    await eventually(deleted)


@pytest.mark.parametrize(
    "end", [JobCompleted(**JOB), JobFailed(**JOB, detail="broke"), JobCanceled(**JOB)], ids=lambda end: end.TYPE
)
async def test_a_job_holds_what_it_uses_until_it_ends(
    api: httpx.AsyncClient, happened: Happened, end: EventData
) -> None:
    await register_outside(api, "flight-delay")
    await happened(JobSubmitted(**JOB, uses=["models/flight-delay/versions/1", "data/other/versions/1", "nonsense"]))
    await held_by(api, MODEL, "jobs/brave_otter")
    await happened(end)
    await let_go(api, MODEL)


async def test_a_trigger_holds_what_its_job_names(api: httpx.AsyncClient, happened: Happened) -> None:
    await register_outside(api, "flight-delay")
    job = {"type": "command", "inputs": {"model": {"type": "custom_model", "path": "azureml:flight-delay:1"}}}
    await happened(TriggerUpdated(trigger="retrain", after={"name": "retrain", "create_job": job}))
    await held_by(api, MODEL, "triggers/retrain")
    await happened(TriggerDeleted(trigger="retrain", before={}))
    await let_go(api, MODEL)


async def test_a_component_holds_the_environment_it_names(api: httpx.AsyncClient) -> None:
    await api.post("/api/v1/environments", json={"spec": {"name": "py", "image": "python:3.11"}})
    component = {"name": "train", "type": "command", "command": "true", "environment": "azureml:py:1"}
    made = await api.post("/api/v1/components", json={"spec": component})
    assert made.status_code == 201, made.text
    await held_by(api, "/api/v1/environments/py/versions/1", "components/train/versions/1")
    assert (await api.delete("/api/v1/environments/py")).status_code == 412
    assert (await api.delete("/api/v1/components/train")).status_code == 204
    assert (await api.delete("/api/v1/environments/py")).status_code == 204


async def test_a_version_says_where_it_is_deployed_and_how_that_is(api: httpx.AsyncClient, happened: Happened) -> None:
    for _ in range(2):
        await register_outside(api, "flight-delay")
    blue: dict[str, Any] = {"endpoint": "flights", "deployment": "blue", "generation": 1, "model": "flight-delay:1"}

    async def deployed(path: str, *statuses: str) -> None:
        async def said() -> bool:
            found = (await api.get(path)).json()["deployments"]
            return list(found) == [
                {"endpoint": "flights", "deployment": "blue", "status": status} for status in statuses
            ]

        await eventually(said)

    await happened(DeploymentRequested(**blue))
    await deployed(MODEL, "requested")
    await happened(DeploymentReady(**blue))
    await deployed(MODEL, "ready")
    await happened(DeploymentDegraded(**blue, detail="one replica of two"))
    await deployed(MODEL, "degraded")
    await happened(DeploymentReady(**blue))
    await deployed(MODEL, "ready")
    second = MODEL.replace("versions/1", "versions/2")
    green = blue | {"generation": 2, "model": "flight-delay:2"}
    await happened(DeploymentRequested(**green))
    await happened(DeploymentFailed(**green, detail="no such column"))
    await deployed(second, "failed")
    await deployed(MODEL, "ready")
    await held_by(api, MODEL, "endpoints/flights/deployments/blue")
    assert (await api.delete("/api/v1/models/flight-delay")).status_code == 412
    assert (await api.get(MODEL)).status_code == 200
    await happened(DeploymentDeleted(**green))
    await deployed(second)
    await let_go(api, MODEL)


async def test_the_use_of_a_shared_version_holds_it(api: httpx.AsyncClient, happened: Happened) -> None:
    await register_outside(api, "flight-delay")
    await api.post("/api/v1/registries", json={"name": "company"})
    assert (await api.post(f"{MODEL}/share", json={"registry": "company"})).status_code == 201
    shared = "/api/v1/registries/company/models/flight-delay/versions/1"
    blue: dict[str, Any] = {"endpoint": "e", "deployment": "blue", "generation": 1, "model": "company/flight-delay:1"}
    await happened(DeploymentReady(**blue), "lab")
    await held_by(api, shared, "endpoints/e/deployments/blue of workspace lab")
    assert (await api.get(shared)).json()["deployments"] == []
    await let_go(api, MODEL)
    await happened(DeploymentDeleted(**blue), "lab")
    await let_go(api, shared)


async def test_a_model_says_which_experiment_made_it(api: httpx.AsyncClient, happened: Happened) -> None:
    await register_outside(api, "flight-delay", job="brave_otter")
    await happened(JobSubmitted(**JOB, experiment="delays"))

    async def experiment() -> bool:
        return bool((await api.get(MODEL)).json()["experiment"] == "delays")

    await eventually(experiment)
    listed = await api.get("/api/v1/models", params={"search": "job:brave_otter"})
    assert [item["experiment"] for item in listed.json()["items"]] == ["delays"]
