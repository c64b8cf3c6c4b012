"""The lineage graph: the whole circle, both ways, at any time, whatever the order in which events come."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import httpx
import pytest

from modelyard_contracts import Event, EventData, full_type
from modelyard_contracts.builder import EnvironmentBuilt, ModelConverted
from modelyard_contracts.drift_monitor import DriftDetected, MonitorUpdated
from modelyard_contracts.registry import (
    DataRegistered,
    EnvironmentRegistered,
    ModelDeleted,
    ModelRegistered,
    ModelShared,
)
from modelyard_contracts.scheduler import JobCompleted, JobSubmitted, ScheduleFired, StepStarted, TriggerUpdated
from modelyard_contracts.serving import (
    DeploymentDeleted,
    DeploymentReady,
    DeploymentRequested,
    EndpointCreated,
    EndpointTrafficChanged,
)
from modelyard_platform.database import Pool, create_pool, transaction
from registry.settings import Settings
from registry.store import lineage as store
from registry.usecases import follow, lineage

START = datetime(2026, 5, 1, 10, tzinfo=UTC)
LOCK, CODE, ONNX = "a" * 64, "c" * 64, "b" * 64
DRIFT = 12  # the position of drift.detected in the story
STORY: list[EventData] = [
    DataRegistered(name="flights", version="1", tree="d" * 64),
    EnvironmentRegistered(name="sk", version="2"),
    EnvironmentBuilt(name="sk", version="2", lock=LOCK, python="3.11"),
    JobSubmitted.model_validate(
        {
            "job": "train_1",
            "kind": "pipeline",
            "display_name": "train",
            "repository": "https://git.example/flights",
            "commit": "feed" * 10,
            "dirty": True,
            "code": [CODE],
            "uses": ["data/flights/versions/1", "environments/sk/versions/2"],
            "inputs": {"data": "azureml:flights:1"},
        }
    ),
    StepStarted(job="train_1", step="fit", environment=LOCK),
    ModelRegistered(name="delay", version="1", job="train_1", environment=LOCK),
    JobCompleted(job="train_1", kind="pipeline"),
    ModelConverted(name="delay", version="1", tree=ONNX, max_abs_difference=1e-7, rows=10),
    EndpointCreated(endpoint="e"),
    DeploymentRequested(endpoint="e", deployment="blue", generation=1, model="delay:1"),
    DeploymentReady(endpoint="e", deployment="blue", generation=1, model="delay:1", package=ONNX),
    EndpointTrafficChanged(endpoint="e", traffic={"blue": 100}),
    DriftDetected.model_validate(
        {
            "monitor": "m",
            "endpoint": "e",
            "deployment": "blue",
            "model": "delay:1",
            "window": 1,
            "rows": 500,
            "baseline_rows": 900,
            "window_start": START,
            "window_end": START,
            "features": [{"feature": "distance", "measure": "psi", "value": 1, "threshold": 0.2, "drifted": True}],
        }
    ),
    JobSubmitted(job="retrain_1", kind="pipeline", trigger="on-drift", commit="feed" * 10, code=[CODE]),
    ScheduleFired(
        schedule="on-drift",
        job="retrain_1",
        event=str(uuid5(UUID(int=7), str(DRIFT))),
        event_type="drift.detected",
        event_subject="endpoints/e/deployments/blue",
    ),
    ModelRegistered(name="delay", version="2", job="retrain_1", environment=LOCK),
    DeploymentReady(endpoint="e", deployment="green", generation=1, model="delay:2", package="e" * 64),
    EndpointTrafficChanged(endpoint="e", traffic={"blue": 0, "green": 100}, previous={"blue": 100}),
    DeploymentDeleted(endpoint="e", deployment="blue", generation=1, model="delay:1"),
    MonitorUpdated(monitor="m", endpoint="e", deployment="green", references=["flights:1"], after={"name": "m"}),
    TriggerUpdated(trigger="on-drift", after={"enabled": True}),
]


def story(told: Sequence[EventData] = STORY) -> Iterator[Event[Any]]:
    """One event a minute, numbered by subject, their ids always the same."""
    counts: dict[str, int] = {}
    for number, data in enumerate(told):
        counts[data.subject] = counts.get(data.subject, 0) + 1
        yield Event[Any](
            id=uuid5(UUID(int=7), str(number)),
            source="/modelyard/test",
            type=full_type(data.TYPE),
            subject=data.subject,
            time=START + timedelta(minutes=number),
            workspace="default",
            actor="user:ada",
            correlationid="story",
            sequence=counts[data.subject],
            data=data,
        )


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    pool = await create_pool(settings.postgres_dsn.get_secret_value(), service="test")
    yield pool
    await pool.close()


async def hear(pool: Pool, events: list[Event[Any]]) -> None:
    for event in events:
        async with transaction(pool) as tx:
            await follow.keep_facts(tx, [event])


async def graph(pool: Pool) -> list[asyncpg.Record]:
    async with transaction(pool) as tx:
        return await tx.fetch("select * from edges order by target, source, relation, since")


async def nodes(api: httpx.AsyncClient, node: str, **params: Any) -> dict[str, dict[str, Any]]:
    answer = await api.get("/api/v1/lineage", params={"node": node} | params)
    assert answer.status_code == 200, answer.text
    return {found["id"]: found for found in answer.json()["nodes"]}


async def test_what_is_live_rests_on_the_whole_chain(api: httpx.AsyncClient, pool: Pool) -> None:
    await hear(pool, list(story()))
    answer = (await api.get("/api/v1/lineage", params={"node": "endpoint/e"})).json()
    found = {node["id"]: node for node in answer["nodes"]}
    assert answer["complete"]
    drift = f"drift/{uuid5(UUID(int=7), str(DRIFT))}"
    assert set(found) == {
        "endpoints/e",
        "endpoints/e/deployments/green",
        f"packages/{'e' * 64}",
        "models/delay/versions/2",
        "jobs/retrain_1",
        f"locks/{LOCK}",
        "environments/sk/versions/2",
        f"code/{CODE}",
        f"commits/{'feed' * 10}",
        "triggers/on-drift",
        drift,
        "monitors/m",
        "data/flights/versions/1",
        # And what the drift was seen on, which is gone by now:
        "endpoints/e/deployments/blue",
        "models/delay/versions/1",
        "jobs/train_1",
    }
    assert found["endpoints/e/deployments/blue"]["state"] == "deleted"
    assert found["endpoints/e"]["title"] == "e: green 100 %"
    assert (found["models/delay/versions/2"]["kind"], found["models/delay/versions/2"]["version"]) == ("model", "2")
    assert found[f"commits/{'feed' * 10}"]["title"] == "feedfeedfeed of https://git.example/flights"
    assert found[f"code/{CODE}"]["title"].endswith("not committed")
    assert found[drift]["title"] == "data_drift of m: distance"
    assert found["jobs/retrain_1"]["state"] == "submitted"
    relations = {(edge["source"], edge["relation"], edge["target"]) for edge in answer["edges"]}
    assert (drift, "triggered", "jobs/retrain_1") in relations
    assert ("endpoints/e/deployments/green", "answers", "endpoints/e") in relations


async def test_the_graph_at_a_time_in_the_past(api: httpx.AsyncClient, pool: Pool) -> None:
    await hear(pool, list(story()))
    then = await nodes(api, "endpoint/e", at="2026-05-01T10:11Z")
    assert "endpoints/e/deployments/blue" in then
    assert "models/delay/versions/1" in then
    assert "models/delay/versions/2" not in then
    assert then["jobs/train_1"]["state"] == "completed"
    assert then["endpoints/e"]["title"] == "e: blue 100 %"
    same = await nodes(api, "endpoint/e", at="2026-05-01T12:11:00+02:00")
    assert same == then
    earlier = await nodes(api, "job/train_1", at="2026-05-01T10:03:30Z")
    assert earlier["jobs/train_1"]["state"] == "submitted"
    assert f"locks/{LOCK}" not in earlier


async def test_downwards_to_everything_that_rests_on_a_thing(api: httpx.AsyncClient, pool: Pool) -> None:
    await hear(pool, list(story()))
    found = await nodes(api, f"commits/{'feed' * 10}", direction="down")
    assert {"jobs/train_1", "models/delay/versions/1", "models/delay/versions/2", "endpoints/e"} <= set(found)
    near = await api.get("/api/v1/lineage", params={"node": "data/flights:1", "direction": "down", "depth": 1})
    assert not near.json()["complete"]
    assert {node["id"] for node in near.json()["nodes"] if node["more"]} == {"jobs/train_1", "monitors/m"}


async def test_order_and_repetition_change_nothing(pool: Pool) -> None:
    events = list(story())
    await hear(pool, events)
    whole = await graph(pool)
    assert len(whole) > 25
    for seed in range(8):
        async with transaction(pool) as tx:
            await tx.execute("truncate edges, events restart identity")
        shuffled = events + random.Random(seed).sample(events, 10)
        random.Random(seed).shuffle(shuffled)
        await hear(pool, shuffled)
        assert await graph(pool) == whole, f"seed {seed}"


async def test_the_graph_is_built_anew_from_the_log(api: httpx.AsyncClient, pool: Pool) -> None:
    events = list(story())
    random.Random(1).shuffle(events)
    await hear(pool, events)
    whole = await graph(pool)
    async with transaction(pool) as tx:
        await tx.execute("update edges set until = now(), since = now() where holder is null or sequence = 1")
        await tx.execute("delete from edges where relation = 'made'")
    assert (await api.post("/api/v1/lineage/rebuild")).status_code == 204
    assert await graph(pool) == whole

    async with transaction(pool) as tx:
        await tx.execute("truncate edges")
    await lineage.build_missing(pool)
    assert await graph(pool) == whole


async def test_while_a_graph_is_built_anew_only_its_own_workspace_waits(pool: Pool) -> None:
    events = list(story())
    await hear(pool, events[:-3])
    elsewhere = [event.model_copy(update={"id": uuid5(event.id, "lab"), "workspace": "lab"}) for event in events]
    async with transaction(pool) as tx:
        await store.delete_edges(tx, "default")
        late = asyncio.create_task(hear(pool, events[-3:]))
        async with asyncio.timeout(10):
            await hear(pool, elsewhere)
        assert not late.done()
    await late
    rows = await graph(pool)
    assert {row["target"] for row in rows if row["workspace"] == "default"} == {"monitors/m"}
    await lineage.rebuild(pool, "default")
    told = {
        workspace: [
            (row["relation"], row["since"], row["until"])
            for row in sorted(await graph(pool), key=lambda row: (row["since"], row["relation"], str(row["until"])))
            if row["workspace"] == workspace
        ]
        for workspace in ("default", "lab")
    }
    assert told["default"] == told["lab"]


async def test_two_writers_of_one_holder_see_each_other(pool: Pool) -> None:
    ready = [event for event in story() if event.type == full_type(DeploymentReady.TYPE)]
    first = ready[0]
    second = first.model_copy(
        update={
            "id": UUID(int=99),
            "sequence": first.sequence + 1,
            "time": first.time + timedelta(minutes=1),
            "data": first.data.model_copy(update={"model": "delay:9", "generation": 2}),
        }
    )
    await asyncio.gather(*(hear(pool, [event]) for event in (second, first)))
    held = [row for row in await graph(pool) if row["relation"] == "deployed" and row["source"].startswith("models/")]
    assert {row["source"]: row["until"] for row in held} == {
        "models/delay/versions/1": second.time,
        "models/delay/versions/9": None,
    }


async def test_a_wide_graph_is_cut_where_it_says(api: httpx.AsyncClient, pool: Pool) -> None:
    async with transaction(pool) as tx:
        await tx.execute(
            """
            insert into edges (workspace, source, relation, target, since, event_id, sequence)
            select 'default', 'locks/l', 'environment', 'jobs/j' || n, now() - make_interval(secs => n), gen_random_uuid(), n
            from generate_series(1, 500) n
            union all
            select 'default', 'jobs/j' || n, 'made', 'models/m/versions/' || n || '-' || k, now(), gen_random_uuid(), n
            from generate_series(1, 500) n, generate_series(1, 20) k
            """
        )
    answer = (await api.get("/api/v1/lineage", params={"node": "locks/l", "direction": "down"})).json()
    assert not answer["complete"]
    assert len(answer["nodes"]) == 1000
    found = {node["id"]: node for node in answer["nodes"]}
    assert found["locks/l"]["more"]
    assert "jobs/j1" in found, "the newest are kept"
    ends = {edge["source"] for edge in answer["edges"]} | {edge["target"] for edge in answer["edges"]}
    assert ends == set(found)


async def test_what_cannot_be_asked(api: httpx.AsyncClient) -> None:
    refused: tuple[tuple[dict[str, str | int], int], ...] = (
        ({"node": "endpoint/nobody"}, 404),
        ({"node": "cat/felix"}, 400),
        ({"node": "model/x"}, 400),
        ({"node": "model/x@champion"}, 404),
        ({"node": "endpoint/e", "at": "2026-05-01T10:00"}, 400),
        ({"node": "endpoint/e", "at": "yesterday"}, 400),
        ({"node": "endpoint/e", "depth": 51}, 400),
        ({"node": "endpoint/e", "direction": "left"}, 400),
    )
    for params, status in refused:
        answer = await api.get("/api/v1/lineage", params=params)
        assert answer.status_code == status, (params, answer.text)
        assert answer.json()["detail"]


async def test_the_walk_and_the_states_use_their_indexes(pool: Pool) -> None:
    """With many rows, a level of the walk and the states of its nodes are read by index only."""
    async with transaction(pool) as tx:
        await tx.execute(
            """
            insert into edges (workspace, source, relation, target, since, event_id, sequence)
            select 'default', 'jobs/j' || n, 'made', 'models/m/versions/' || n, now(), gen_random_uuid(), n
            from generate_series(1, 20000) n
            """
        )
        await tx.execute(
            """
            insert into events (event_id, workspace, type, subject, sequence, time, actor, correlation_id, data)
            select gen_random_uuid(), 'default', 'job.submitted', 'jobs/j' || n, 1, now(), 'user:ada', 'c', '{}'
            from generate_series(1, 20000) n
            """
        )
        await tx.execute("analyze edges")
        await tx.execute("analyze events")
        walk = ["default", [f"models/m/versions/{n}" for n in range(5)], None, 201]
        for statement, arguments, index in (
            (store._UP, walk, "edges_up"),
            (store._DOWN, walk, "edges_down"),
            (store._STATES, ["default", ["jobs/j1", "jobs/j2"], None], "events_by_state"),
        ):
            plan = "\n".join(row[0] for row in await tx.fetch(f"explain {statement}", *arguments))
            assert index in plan, plan
            assert "Seq Scan" not in plan, plan


async def test_a_version_of_a_shared_registry_leads_to_where_it_comes_from(api: httpx.AsyncClient, pool: Pool) -> None:
    there = "registries/common/models/delay/versions/1"
    told: list[EventData] = [
        ModelRegistered(name="delay", version="1", job="j"),
        ModelShared(name="delay", version="1", target=there),
        JobSubmitted(job="score", kind="command", uses=[there]),
        DeploymentReady(endpoint="e", deployment="blue", generation=1, model="common/delay:1"),
    ]
    await hear(pool, [*story(told)])
    found = await nodes(api, "deployment/e/blue")
    assert set(found) == {"endpoints/e/deployments/blue", there, "models/delay/versions/1", "jobs/j"}
    assert (found[there]["kind"], found[there]["name"], found[there]["version"]) == ("model", "common/delay", "1")
    assert "jobs/score" in await nodes(api, there, direction="down")
    assert (await api.get("/api/v1/why/job/score")).status_code == 200


async def test_deleted_things_stay_in_the_graph(api: httpx.AsyncClient, pool: Pool) -> None:
    await hear(pool, list(story()))
    gone = next(story()).model_copy(
        update={
            "id": UUID(int=100),
            "type": full_type(ModelDeleted.TYPE),
            "subject": "models/delay/versions/1",
            "time": START + timedelta(hours=1),
            "sequence": 9,
            "data": ModelDeleted(name="delay", version="1"),
        }
    )
    await hear(pool, [gone])
    found = await nodes(api, "model/delay:1", direction="both")
    assert found["models/delay/versions/1"]["state"] == "deleted"
    assert "jobs/train_1" in found
