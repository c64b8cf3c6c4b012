"""Two who change the same at once: one of them waits, sees what the other has done, and nothing is told twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import httpx
import pytest
from services.registry.tests.support import register_outside

from modelyard_platform.database import Connection, Pool, create_pool, transaction
from modelyard_testing.conditions import eventually
from registry.domain.assets import ANONYMOUS
from registry.domain.references import Target
from registry.store import uses

BASE = "/api/v1/models/flight-delay"
_DELETED = "delete from versions where name = 'flight-delay' and version = '1'"
_ARCHIVED = "update versions set archived = true where name = 'flight-delay' and version = '1'"
_WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
_TOLD = "select count(*) from events where subject = 'models/flight-delay/versions/1' and type = $1"


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await create_pool(database, service="test")
    yield pool
    await pool.close()


async def meanwhile(
    tx: Connection, pool: Pool, request: Awaitable[httpx.Response], *, others: int = 0
) -> asyncio.Task[httpx.Response]:
    """The request, begun, once it waits for what `tx` holds, as so many `others` do already; or is answered, since it does not."""

    async def send() -> httpx.Response:
        return await request

    task = asyncio.create_task(send())

    async def waits() -> bool:
        async with pool.acquire() as other:
            return bool(task.done() or await other.fetchval(_WAITING) > others)

    await eventually(waits)
    return task


async def test_a_version_that_is_being_archived_is_archived_once(api: httpx.AsyncClient, pool: Pool) -> None:
    await register_outside(api, "flight-delay")
    async with transaction(pool) as tx:
        await tx.execute(_ARCHIVED)
        task = await meanwhile(tx, pool, api.post(f"{BASE}/archive"))
    assert (await task).json() == {"versions": []}


async def test_a_version_that_is_being_deleted_is_deleted_once(api: httpx.AsyncClient, pool: Pool) -> None:
    await register_outside(api, "flight-delay")
    await register_outside(api, "flight-delay")
    async with transaction(pool) as tx:
        await tx.execute(_DELETED)
        task = await meanwhile(tx, pool, api.delete(BASE))
    assert (await task).status_code == 204

    async def told() -> bool:
        events = (await api.get("/api/v1/events", params={"type": "model.deleted"})).json()["items"]
        return {event["subject"] for event in events} >= {"models/flight-delay", "models/flight-delay/versions/2"}

    await eventually(told)
    async with pool.acquire() as tx:
        assert await tx.fetchval(_TOLD, "model.deleted") == 0


async def test_what_is_just_being_used_is_not_deleted(api: httpx.AsyncClient, pool: Pool) -> None:
    await register_outside(api, "flight-delay")
    async with transaction(pool) as tx:
        await uses.add_uses(
            tx, "default", "components/c/versions/1", [Target("default", "models", "flight-delay", "1")]
        )
        task = await meanwhile(tx, pool, api.delete(f"{BASE}/versions/1"))
    refused = await task
    assert (refused.status_code, refused.json()["used_by"]) == (412, ["components/c/versions/1"])


async def test_a_use_behind_many_of_its_own_holds_a_name(api: httpx.AsyncClient, pool: Pool) -> None:
    for _ in range(101):
        await register_outside(api, "flight-delay")
    target = [Target("default", "models", "flight-delay", "1")]
    async with transaction(pool) as tx:
        for number in range(1, 102):
            await uses.add_uses(tx, "default", f"models/flight-delay/versions/{number}", target)
        await uses.add_uses(tx, "default", "triggers/nightly", target)
    refused = await api.delete(BASE)
    assert (refused.status_code, refused.json().get("used_by")) == (412, ["triggers/nightly"])


async def test_a_version_that_comes_again_has_an_empty_card(api: httpx.AsyncClient) -> None:
    spec = {"path": "https://example.com/model"}  # without a name, and so called by its content
    for _ in range(2):
        made = await api.post("/api/v1/models", json={"spec": spec})
        assert made.status_code == 201
        version = f"/api/v1/models/{ANONYMOUS}/versions/{made.json()['version']}"
        card = f"{version}/card"
        assert (await api.get(card)).json()["sections"] == {}
        written = await api.put(card, json={"sections": {"intended_use": "delays of flights"}})
        assert written.status_code == 200, written.text
        assert (await api.delete(version)).status_code == 204


async def test_a_registry_is_not_deleted_while_something_is_shared_into_it(api: httpx.AsyncClient, pool: Pool) -> None:
    await register_outside(api, "flight-delay")
    assert (await api.post("/api/v1/registries", json={"name": "company"})).status_code == 201
    async with transaction(pool) as tx:
        await tx.execute("lock assets in share mode")
        sharing = await meanwhile(tx, pool, api.post(f"{BASE}/versions/1/share", json={"registry": "company"}))
        deleting = await meanwhile(tx, pool, api.delete("/api/v1/registries/company"), others=1)
    assert ((await sharing).status_code, (await deleting).status_code) == (201, 412)


async def test_a_workspace_that_is_deleted_while_it_is_let_in_is_not_in(api: httpx.AsyncClient, pool: Pool) -> None:
    assert (await api.post("/api/v1/workspaces", json={"name": "lab"})).status_code == 201
    assert (await api.post("/api/v1/registries", json={"name": "company"})).status_code == 201
    company = "/api/v1/registries/company"
    async with transaction(pool) as tx:
        await tx.execute("lock registries in share mode")
        changing = await meanwhile(tx, pool, api.patch(company, json={"add_writers": ["lab"]}))
        deleting = await meanwhile(tx, pool, api.delete("/api/v1/workspaces/lab"), others=1)
    assert ((await changing).status_code, (await deleting).status_code) == (200, 204)
    assert (await api.get(company)).json()["writers"] == ["default"]
