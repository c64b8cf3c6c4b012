"""Nothing is lost: not when the WORK stream is, not when the scheduler is killed, not when a report comes twice."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import nats
from services.scheduler.tests.support import Runner, World, command, events_of, pipeline, put_files

from modelyard.stack.provision import create_streams
from modelyard_testing.conditions import eventually
from modelyard_testing.identities import bearer
from scheduler.settings import Settings
from scheduler.usecases.ordering import MAX_ORDERS


async def delete_work(url: str) -> None:
    connection = await nats.connect(url)
    try:
        await connection.jetstream().delete_stream("WORK")
    finally:
        await connection.close()


async def test_an_order_waits_for_the_stream(world: World) -> None:
    await delete_work(world.nats_url)
    job = await world.submit(command())
    await world.until(job["name"], lambda document: document["steps"][0]["status"] == "queued")
    await create_streams(world.nats_url)
    async with world.runner().running():
        done = await world.ended(job["name"])
    assert done["status"] == "completed"


async def test_an_order_the_stream_has_lost_is_published_again(world: World) -> None:
    job = await world.submit(command())

    async def on_the_stream() -> bool:
        connection = await nats.connect(world.nats_url)
        try:
            return (await connection.jetstream().stream_info("WORK")).state.messages == 1
        finally:
            await connection.close()

    await eventually(on_the_stream)
    await delete_work(world.nats_url)
    await create_streams(world.nats_url)
    async with world.runner().running() as runner:
        done = await world.ended(job["name"])
    assert done["status"] == "completed"
    assert [order.attempt for order in runner.orders] == [1]


async def test_an_order_that_is_lost_again_and_again_fails_its_step(world: World) -> None:
    job = await world.submit(command())
    connection = await asyncpg.connect(world.settings.postgres_dsn.get_secret_value())
    last = "update steps set order_number = $1 where order_state = 'sent' returning id"
    try:
        await eventually(lambda: connection.fetchval(last, MAX_ORDERS))
    finally:
        await connection.close()
    await delete_work(world.nats_url)
    done = await world.ended(job["name"])
    assert done["status"] == "failed"
    assert "without a result" in done["detail"]


async def test_a_report_that_comes_twice_counts_once(world: World) -> None:
    job = await world.submit(command())
    async with world.runner().running() as runner:
        await world.ended(job["name"])
    [order] = runner.orders
    path = f"/internal/v1/steps/{order.step_id}/attempts/1"
    again = await world.scheduler.post(f"{path}/finished", json={"status": "failed"}, headers=bearer("service"))
    assert again.status_code == 204
    restarted = await world.scheduler.post(f"{path}/started", json={"node": "b"}, headers=bearer("service"))
    assert restarted.status_code == 409
    other = path.replace("/attempts/1", "/attempts/2")
    assert (
        await world.scheduler.post(f"{other}/started", json={"node": "b"}, headers=bearer("service"))
    ).status_code == 409
    assert (await world.job(job["name"]))["status"] == "completed"
    types = [event.type for event in await events_of(world.nats_url)]
    assert types.count("modelyard.step.completed.v1") == types.count("modelyard.job.completed.v1") == 1


async def test_an_attempt_begun_again_after_redelivery_is_the_same_attempt(world: World) -> None:
    job = await world.submit(command("hang"))
    async with world.runner().running() as runner:

        async def delivered_again() -> bool:
            return len(runner.orders) >= 2

        await eventually(delivered_again)
        assert {order.attempt for order in runner.orders} == {1}
        path = f"/internal/v1/steps/{runner.orders[0].step_id}/attempts/1/finished"
        report = {"status": "completed", "outputs": {}}
        assert (await world.scheduler.post(path, json=report, headers=bearer("service"))).status_code == 204
    assert (await world.job(job["name"]))["status"] == "completed"
    types = [event.type for event in await events_of(world.nats_url)]
    assert types.count("modelyard.step.started.v1") == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[None]:
    """The scheduler as a process of its own, killed with SIGKILL on leaving."""
    names = ("postgres_dsn", "nats_url", "identity_key", "s3_url", "s3_access_key", "s3_secret_key", "s3_bucket", "registry_url",
             "builder_url", "port", "order_check_s")  # fmt: skip
    given = {name: getattr(settings, name) for name in names}
    environment = {
        f"MODELYARD_SCHEDULER_{name.upper()}": str(
            value.get_secret_value() if hasattr(value, "get_secret_value") else value
        )
        for name, value in given.items()
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scheduler", "run", env=os.environ | environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:

        async def ready() -> bool:
            assert child.returncode is None
            async with httpx.AsyncClient() as http:
                try:
                    return (await http.get(f"http://127.0.0.1:{settings.port}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

        await eventually(ready, within_s=60)
        yield
    finally:
        child.kill()
        await child.wait()


async def test_a_killed_scheduler_goes_on_where_it_was(world: World) -> None:
    """Two schedulers share the schema here (the fixture's answers the questions); the one the runner reports to is killed."""
    raw = put_files(world.store, {"flights.csv": "a\n1\n"})
    own = world.settings.model_copy(update={"port": free_port()})
    url = f"http://127.0.0.1:{own.port}"
    async with Runner(world.nats_url, url, world.store).running():
        async with process(own), httpx.AsyncClient(base_url=url, headers=bearer()) as http:
            body = {"spec": pipeline(f"modelyard://trees/{raw}")}
            names = [(await http.post("/api/v1/jobs", json=body)).json()["name"] for _ in range(5)]
        async with process(own):
            for name in names:
                done = await world.ended(name, within_s=90)
                assert done["status"] == "completed", done["detail"]
    versions = (await world.registry.get("/api/v1/models/delay/versions")).json()["items"]
    assert sorted(version["job"] for version in versions) == sorted(names)
    events = await events_of(world.nats_url)
    assert [event.type for event in events].count("modelyard.job.completed.v1") == 5
    assert len({event.id for event in events}) == len(events)
