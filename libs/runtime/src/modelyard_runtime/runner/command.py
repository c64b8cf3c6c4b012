"""The step's command: its placeholders, its variables, and the process that runs it (through `hosts/step_host.py`)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel

from modelyard_contracts.work import StepOrder
from modelyard_platform.errors import InvalidError, UnavailableError
from modelyard_runtime.hosts import step_host

GRACE_S: Final = 10.0
"""Between SIGTERM and SIGKILL."""

_HOST_ENDS_S: Final = 10.0

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PLACEHOLDER: Final = re.compile(r"\$\{\{\s*(inputs|outputs)\.([\w.-]+)\s*\}\}")

Stream: TypeAlias = Literal["stdout", "stderr"]
Sink: TypeAlias = Callable[[Stream, bytes], None]


class CommandEnd(BaseModel):
    """How the command ended, as the step host saw it."""

    exit_code: int | None
    signal: str | None
    ended_by: Literal["timeout", "cancel"] | None
    duration_s: float
    peak_rss_bytes: int


def render(command: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """The command with this node's paths in place of `${{inputs.x}}` and `${{outputs.y}}`. Raises InvalidError for unknown names."""
    known = {"inputs": inputs, "outputs": outputs}

    def value(match: re.Match[str]) -> str:
        kind, name = match.groups()
        if name not in known[kind]:
            has = ", ".join(sorted(known[kind])) or "none"
            raise InvalidError(f"the command uses {match.group()}, but the step has no such {kind[:-1]}; it has: {has}")
        return known[kind][name]

    return _PLACEHOLDER.sub(value, command)


def variables(order: StepOrder, interpreter: Path | None, home: Path, public_url: str) -> dict[str, str]:
    """Everything the command finds in its environment: nothing of the node's own but the GPUs Ray has given to this task."""
    binaries = interpreter.parent if interpreter else Path(sys.executable).parent
    found = {
        "PATH": f"{binaries}:{SYSTEM_PATH}",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "MLFLOW_TRACKING_URI": public_url,
        "MLFLOW_TRACKING_TOKEN": order.token,
        "MLFLOW_RUN_ID": order.step_id,
        "AZUREML_RUN_ID": order.step_id,
        "AZUREML_ROOT_RUN_ID": order.job,
        "MODELYARD_RUN_ID": order.step_id,
        "MODELYARD_JOB": order.job,
        "MODELYARD_STEP": order.step,
        "MODELYARD_URL": public_url,
        "MODELYARD_TOKEN": order.token,
    }
    if interpreter:
        found["VIRTUAL_ENV"] = str(interpreter.parent.parent)
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        found["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    return found | order.environment_variables


async def run(
    command: str, *, cwd: Path, environment: Mapping[str, str], timeout_s: float, sink: Sink, canceled: asyncio.Event
) -> CommandEnd:
    """Run the command by bash and hand its output to `sink` as it comes. When `canceled` is set the command is ended.

    Cancelling this coroutine, or killing this process, ends all of the command's processes too. Raises UnavailableError when
    the host itself is killed.
    """
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", step_host.__file__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={},
    )  # fmt: skip
    assert host.stdin
    assert host.stdout
    assert host.stderr
    order = {
        "command": command,
        "cwd": str(cwd),
        "environment": dict(environment),
        "timeout_s": timeout_s,
        "grace_s": GRACE_S,
    }
    canceler = asyncio.create_task(_tell(host.stdin, canceled))
    try:
        host.stdin.write(json.dumps(order).encode() + b"\n")
        end = await _frames(host.stdout, sink)
    finally:
        canceler.cancel()
        try:  # closes standard input, at which the host ends whatever is left
            async with asyncio.timeout(_HOST_ENDS_S):
                _, said = await host.communicate()
        except TimeoutError:
            host.kill()
            said = b"it did not end"
    if end is None:
        raise UnavailableError(f"the step's host process failed: {said.decode(errors='replace').strip()[-2000:]}")
    return end


async def _tell(stdin: asyncio.StreamWriter, canceled: asyncio.Event) -> None:
    await canceled.wait()
    stdin.write(b"cancel\n")


async def _frames(stdout: asyncio.StreamReader, sink: Sink) -> CommandEnd | None:
    streams: dict[bytes, Stream] = {b"o": "stdout", b"e": "stderr"}
    while True:
        try:
            head = await stdout.readexactly(5)
            body = await stdout.readexactly(int.from_bytes(head[1:], "big"))
        except asyncio.IncompleteReadError:
            return None
        if head[:1] == b"x":
            return CommandEnd.model_validate_json(body)
        sink(streams[head[:1]], body)
