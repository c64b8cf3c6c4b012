"""Real servers under a real supervisor: started, killed, recovered, ended."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import nats
import psutil
import pytest
from minio import Minio

from modelyard.stack import StackError, down, process, state, up_detached
from modelyard.stack.layout import Layout
from modelyard_testing.stacks import SERVERS, Stack, accepts, ended, eventually


def listeners(processes: list[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for one in processes
        for connection in one.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


async def write(document: Mapping[str, Any], text: str) -> None:
    connection = await asyncpg.connect(document["postgres"])
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
    await connection.execute("INSERT INTO kept VALUES ($1)", text)
    await connection.close()
    client = await nats.connect(document["nats"])
    await client.jetstream().publish("modelyard.default.model.registered", text.encode())
    await client.close()
    store(document).fput_object("modelyard", text, __file__)


async def read(document: Mapping[str, Any]) -> tuple[list[str], int, list[str]]:
    connection = await asyncpg.connect(document["postgres"])
    rows = [row["text"] for row in await connection.fetch("SELECT text FROM kept ORDER BY 1")]
    await connection.close()
    client = await nats.connect(document["nats"])
    messages = (await client.jetstream().stream_info("EVENTS")).state.messages
    await client.close()
    return rows, messages, sorted(found.object_name for found in store(document).list_objects("modelyard"))


def store(document: Mapping[str, Any]) -> Minio:
    address = document["s3"].removeprefix("http://")
    return Minio(address, document["s3_access_key"], document["s3_secret_key"], secure=False)


async def test_what_dies_is_restarted_and_keeps_its_data(stack: Stack) -> None:
    stack.up()
    await write(stack.document(), "before")
    for name in SERVERS:
        victim = stack.part(name)
        assert victim.pid
        os.kill(victim.pid, signal.SIGKILL)
        eventually(lambda: stack.part(name).restarts == 1)  # noqa: B023 called at once
        eventually(lambda: stack.part(name).state == "ready")  # noqa: B023
        assert stack.part(name).pid != victim.pid
        assert stack.document()["state"] == "running"
    await write(stack.document(), "later")
    assert await read(stack.document()) == (["before", "later"], 2, ["before", "later"])


def test_a_restart_is_told_with_its_reason_and_delay(stack: Stack) -> None:
    stack.up()
    pid = stack.part("nats").pid
    assert pid
    told = []

    def look() -> bool:
        part = stack.part("nats")
        told.append(part.detail)
        return part.restarts >= 1 and part.state == "restarting"

    os.kill(pid, signal.SIGKILL)
    eventually(look)
    assert told[-1] == "killed by signal 9; again in 0.2 s"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(stack: Stack, number: int) -> None:
    stack.up()
    processes, ports = stack.processes(), [stack.port(name) for name in SERVERS]
    assert len(processes) > len(SERVERS)  # PostgreSQL's own children too
    assert stack.signal(number) == 0
    assert ended(processes)
    assert not any(accepts(port) for port in ports)
    assert {part.state for part in state.read(stack.layout).parts.values()} <= {"stopped", "done"}


async def test_down_ends_everything_and_a_second_up_finds_its_data(stack: Stack) -> None:
    stack.up()
    first = stack.document()
    await write(first, "kept")
    processes = stack.processes()
    assert await asyncio.to_thread(down, stack.layout)
    stack.reap()
    assert ended(processes)
    assert not stack.layout.sockets_path().exists()
    assert stack.document()["state"] == "stopped"
    assert not await asyncio.to_thread(down, stack.layout)  # nothing left to stop

    stack.up()
    second = stack.document()
    assert await read(second) == (["kept"], 1, ["kept"])
    assert {key: second[key] for key in ("url", "nats", "s3", "postgres")} == {
        key: first[key] for key in ("url", "nats", "s3", "postgres")
    }


async def test_a_killed_supervisor_takes_its_children_along_and_the_next_up_recovers(stack: Stack) -> None:
    stack.up()
    await write(stack.document(), "kept")
    processes = stack.processes()
    stack.signal(signal.SIGKILL)
    assert stack.document()["state"] == "stopped"
    eventually(lambda: ended(processes))
    assert state.read(stack.layout).state == "running"  # what it last wrote is stale, and known to be

    stack.up()
    assert await read(stack.document()) == (["kept"], 1, ["kept"])


def test_what_outlived_a_killed_supervisor_is_ended_by_down(stack: Stack, tmp_path: Path) -> None:
    stack.up()
    # A leader that does not end with its parent, with a child, recorded as a part's.
    code = "import subprocess\n"
    code += "child = subprocess.Popen(['sleep', '600']); print('on', flush=True); child.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as survivor:
        assert survivor.stdout is not None
        assert survivor.stdout.readline() == b"on\n"
        stack.signal(signal.SIGKILL)
        before = state.read(stack.layout)
        state.write(
            stack.layout,
            before.with_part("nats", pid=survivor.pid, started_at=process.started_at(survivor.pid)),
        )
        processes = process.members(survivor.pid)
        assert len(processes) == 2
        assert down(stack.layout)
        assert ended(processes)


def test_a_stranger_with_a_recorded_pid_is_left_alone(stack: Stack) -> None:
    stack.up()
    stack.signal(signal.SIGKILL)
    before = state.read(stack.layout)
    me = os.getpid()
    began = process.started_at(me)
    assert began is not None
    state.write(stack.layout, before.with_part("nats", pid=me, started_at=began - 60))
    down(stack.layout)  # we are alive to tell


def test_two_stacks_live_side_by_side(make_stack: Callable[..., Stack]) -> None:
    one, two = make_stack("one"), make_stack("two")
    one.up()
    two.up()
    ports = [stack.port(name) for stack in (one, two) for name in SERVERS]
    assert len(set(ports)) == len(ports)
    assert down(one.layout)
    one.reap()
    assert two.document()["state"] == "running"
    assert all(accepts(two.port(name)) for name in SERVERS)


def test_detached_it_runs_on_by_itself(stack: Stack) -> None:
    up_detached(stack.layout, SERVERS)
    document = stack.document()
    assert document["state"] == "running"
    assert os.getsid(document["pid"]) == document["pid"]
    processes = stack.processes()
    assert down(stack.layout)
    os.waitpid(document["pid"], 0)
    assert ended(processes)


def test_a_second_supervisor_is_refused(stack: Stack) -> None:
    stack.up()
    with pytest.raises(StackError, match="already running"):
        up_detached(stack.layout, SERVERS)
    assert stack.document()["state"] == "running"


def test_it_listens_on_loopback_only(stack: Stack) -> None:
    stack.up()
    assert listeners(stack.processes()) == {"127.0.0.1"}


def test_what_does_not_come_up_ends_the_stack_and_says_why(stack: Stack) -> None:
    # A file where the NATS server wants its folder.
    (stack.layout.home / "nats").mkdir()
    (stack.layout.home / "nats" / "store").write_text("in the way")
    with pytest.raises(StackError, match=r"(?s)nats does not come up: exited with 1, 5 times.*nats\.log"):
        stack.up()
    assert stack.document()["state"] == "failed"
    assert not [part for part in state.read(stack.layout).parts.values() if part.pid]


def test_an_unknown_part_is_refused(stack: Stack) -> None:
    unknown = Layout.open(stack.layout.home)
    with pytest.raises(StackError, match="ended"):
        up_detached(unknown, ("natz",))
    assert "there is no part 'natz'; there are ray, nats" in unknown.log("supervisor").read_text()
