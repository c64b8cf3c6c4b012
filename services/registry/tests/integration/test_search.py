"""Searching versions through the API, and how PostgreSQL does it."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import asyncpg
import httpx
import pytest

from modelyard_contracts.serving import DeploymentReady
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import connect, create_pool, transaction
from modelyard_testing.conditions import eventually
from registry.domain.search import parse_search
from registry.store import search as store

VERSIONS = 4000


async def register(api: httpx.AsyncClient, name: str, **keys: Any) -> dict[str, Any]:
    spec = {"name": name, "path": "https://example.com/m"} | keys
    answer = await api.post("/api/v1/models", json={"spec": spec, "job": keys.pop("job", None)})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def found(api: httpx.AsyncClient, search: str, **params: Any) -> list[str]:
    answer = await api.get("/api/v1/models", params={"search": search} | params)
    assert answer.status_code == 200, answer.text
    return [f"{item['name']}:{item['version']}" for item in answer.json()["items"]]


async def test_every_condition_finds_what_it_says(api: httpx.AsyncClient, database: str) -> None:
    await register(api, "flight-delay", tags={"team": "ops", "TagName": "TagValue"}, description="arrival delays")
    await register(api, "flight-delay", tags={"team": "lab"}, stage="Production", properties={"rows": "7"})
    await register(api, "churn", tags={"team": "data science"}, type="mlflow_model", flavors={"sklearn": {}})
    await api.put("/api/v1/models/flight-delay/aliases/champion", json={"version": "1"})
    pool = await create_pool(database, service="test")
    async with transaction(pool) as tx:
        ready = DeploymentReady(endpoint="flights", deployment="blue", generation=1, model="flight-delay:1")
        await outbox.add(tx, "elsewhere", ready, Cause(actor="service:elsewhere", correlation_id="story"))
    await pool.close()
    await eventually(lambda: found(api, "used-by:endpoints/flights/*"))

    expected = {
        "TagName=TagValue": ["flight-delay:1"],
        "tag:team": ["churn:1", "flight-delay:2"],
        "team=ops": ["flight-delay:1"],
        "'team=data science'": ["churn:1"],
        "team=opsx": [],
        "name:fl*": ["flight-delay:2"],
        "name:fl* team=ops": ["flight-delay:1"],
        "property:rows=7": ["flight-delay:2"],
        "type:mlflow_model": ["churn:1"],
        "flavour:sklearn": ["churn:1"],
        "stage:Production": ["flight-delay:2"],
        "by:ada": ["churn:1", "flight-delay:2"],
        "by:user:ada name:churn": ["churn:1"],
        "by:bob": [],
        "after:2020-01-01 before:2120-01-01 team=lab": ["flight-delay:2"],
        "after:2120-01-01": [],
        "alias:champion": ["flight-delay:1"],
        "used-by:endpoints/*": ["flight-delay:1"],
        "used-by:jobs/*": [],
        "arrival": ["flight-delay:1"],
        "ARRIV flight": ["flight-delay:1"],
        "flight-delay": ["flight-delay:2"],
        "science": ["churn:1"],
        "": ["churn:1", "flight-delay:2"],
    }
    for search, versions in expected.items():
        assert await found(api, search) == versions, search
    assert await found(api, "tag:team", versions="all", sort="created_at") == [
        "flight-delay:1",
        "flight-delay:2",
        "churn:1",
    ]
    one = await api.get("/api/v1/models/flight-delay/versions", params={"search": "team=ops"})
    assert [item["version"] for item in one.json()["items"]] == ["1"]
    none = await api.get("/api/v1/models/flight-delay/versions", params={"search": "team=nobody"})
    assert (none.status_code, none.json()["items"]) == (200, [])
    assert (await api.get("/api/v1/models/nobody/versions")).status_code == 404


async def test_a_search_that_cannot_be_read_says_which_word(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/v1/models", params={"search": "team=ops tags:x"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "search_invalid"
    assert "`tags:x`" in answer.json()["detail"]
    for cursor in ("x", "W10", "WyJuYW1lIiwxLDIsM10"):
        assert (await api.get("/api/v1/models", params={"cursor": cursor})).status_code == 400
    assert (await api.get("/api/v1/models", params={"sort": "size"})).status_code == 400


async def test_pages_hold_everything_once_and_in_order(filled: httpx.AsyncClient) -> None:
    sorts = ("name", "-name", "created_at", "-created_at", "version", "-version")
    for sort, search, versions in product(sorts, ("", "a=1"), ("newest", "all")):
        params: dict[str, Any] = {"sort": sort, "search": search, "versions": versions}
        whole = (await filled.get("/api/v1/models", params=params | {"limit": 1000})).json()["items"]
        assert await _paged(filled, params | {"limit": 2}) == whole, params
        keys = [_key(sort, item) for item in whole]
        assert keys == sorted(keys, reverse=sort.startswith("-")), params
        assert len({(item["name"], item["version"]) for item in whole}) == len(whole)
        assert len(whole) == (11 if versions == "all" else 3)


async def _paged(api: httpx.AsyncClient, params: dict[str, Any]) -> list[Any]:
    seen: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/api/v1/models", params=params | cursor)).json()
        seen += page["items"]
        if page["next"] is None:
            return seen
        cursor = {"cursor": page["next"]}


def _key(sort: str, item: dict[str, Any]) -> Any:
    match sort.removeprefix("-"):
        case "name":
            return item["name"]
        case "created_at":
            return item["created_at"]
        case _:
            return [int(part) if part.isdigit() else part for part in item["version"].split(".")]


@pytest.fixture
async def filled(api: httpx.AsyncClient) -> httpx.AsyncClient:
    for name, versions in {
        "b": ["1.9", "1.10", "2.0", "10.0"],
        "a": ["9.1", "10.1", "11.0"],
        "c": ["1.0", "3.0", "2.1", "7.0"],
    }.items():
        for version in versions:
            await register(api, name, version=version, tags={"a": "1"})
    return api


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A registry with some thousand versions, seen by the planner as it sees many."""
    connection = await connect(database)
    await connection.execute(
        """
        insert into assets (workspace, kind, name, latest_number)
        select 'default', 'models', 'model-' || n, 20 from generate_series(1, $1 / 20) as n
        """,
        VERSIONS,
    )
    dice = random.Random(3)
    await connection.executemany(
        """
        insert into versions (workspace, kind, name, version, tags, spec, description, created_by)
        values ('default', 'models', 'model-' || $1::int, $2, $3, '{}', $4, 'user:ada')
        """,
        [
            (
                number % (VERSIONS // 20) + 1,
                str(number // (VERSIONS // 20) + 1),
                {"run": f"{number}", "team": f"{dice.randrange(200)}", "half": f"{number % 2}"},
                "delay " * 20,
            )
            for number in range(VERSIONS)
        ],
    )
    await connection.execute("vacuum analyze versions")
    yield connection
    await connection.close()


async def _plan(
    connection: asyncpg.Connection[asyncpg.Record], statement: str, search: str, sort: str = "name", limit: int = 21
) -> str:
    """How a hot query is done, planned for its values as it is in use."""
    await connection.execute("set plan_cache_mode = 'force_custom_plan'")
    given = (*store.conditions("default", "models", parse_search(search)), sort, None, None, None, limit)
    rows = await connection.fetchval(f"explain (format json) {statement}", *given)
    return json.dumps(rows)


async def test_hot_searches_look_into_the_index_and_read_no_whole_table(
    connection: asyncpg.Connection[asyncpg.Record],
) -> None:
    for statement in (store._NEWEST_OF_FEW, store._ALL):
        for search in ("run=17", "team=3 delay", "team=3 by:ada name:model-1*"):
            plan = await _plan(connection, statement, search)
            assert "versions_search" in plan, plan
            assert "Seq Scan" not in plan, plan


async def test_what_many_versions_fit_is_walked_to_in_order(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for sort, index in {"name": "versions_newest", "-created_at": "versions_"}.items():
        plan = await _plan(connection, store._ALL, "half=1", sort)
        assert index in plan, plan
        assert '"Node Type": "Sort"' not in plan, plan
    walked = await _plan(connection, store._NEWEST_OF_MANY, "half=1 delay")
    assert "versions_newest" in walked
    assert "versions_search" not in walked
    listed = await _plan(connection, store._NEWEST, "")
    assert "versions_newest" in listed


async def test_the_planner_knows_how_many_will_fit(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    async with connection.transaction():
        await connection.execute(store._PLAN_ANEW)
        few = await store.estimate(connection, store.conditions("default", "models", parse_search("run=17")))
        many = await store.estimate(connection, store.conditions("default", "models", parse_search("half=1")))
    assert few < 100
    assert many == pytest.approx(VERSIONS / 2, rel=0.2)


async def test_both_ways_find_the_same(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    for search in ("half=1", "team=3", "run=17", "delay", "by:ada name:model-1*", "nobody"):
        given = (*store.conditions("default", "models", parse_search(search)), "name", None, None, None, 1000)
        few = await connection.fetch(store._NEWEST_OF_FEW, *given)
        assert few == await connection.fetch(store._NEWEST_OF_MANY, *given)
