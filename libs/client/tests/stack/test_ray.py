"""Ray as a part of a stack."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import psutil

from modelyard.stack import down
from modelyard.stack.parts import ray_environment
from modelyard_testing.stacks import Stack, ended

TASK = """
import os, ray
ray.init(log_to_driver=False, logging_level="ERROR")
@ray.remote(num_cpus=0.1)
def listen_host():
    return os.environ["MODELYARD_NODE_LISTEN_HOST"]
print(ray.get(listen_host.remote(), timeout=60))
"""
# What `ray.init` does first; it would go on trying for half a minute.
KNOCK = """
import os
from ray._raylet import GcsClient
GcsClient(address=os.environ["RAY_ADDRESS"]).internal_kv_keys(b"", None, timeout=5)
"""


def run(code: str, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env={**inherited, **environment}, capture_output=True, text=True, timeout=90, check=False
    )


def test_ray_runs_tasks_for_those_with_its_token_on_loopback_and_leaves_nothing(
    make_stack: Callable[..., Stack],
) -> None:
    stack = make_stack(names=("ray",))
    stack.up()
    environment = dict(ray_environment(stack.layout))
    done = run(TASK, environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "127.0.0.1"

    stranger = stack.layout.home / "wrong"
    stranger.write_text("0" * 64)
    refused = run(KNOCK, {**environment, "RAY_AUTH_TOKEN_PATH": str(stranger)})
    assert refused.returncode != 0
    assert "InvalidAuthToken" in refused.stderr
    assert run(KNOCK, environment).returncode == 0

    processes = stack.processes()
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for one in processes
        for connection in one.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
    assert down(stack.layout)
    stack.reap()
    assert ended(processes)
