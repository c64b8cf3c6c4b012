"""Ray Serve's applications, through a process of their own (`ray_driver`)."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from modelyard_platform.errors import UnavailableError

_LIMIT_S: Final = 60
"""The longest a request may take, connecting to Ray included."""
_KNOCK_S: Final = 3.0
_LINE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Application:
    """An application as Ray Serve sees it. `pids` are its replicas', stopping ones too; `running` counts the healthy."""

    status: str
    message: str
    pids: frozenset[int]
    running: int


class RayServe:
    """Ray is found by its own variables (`RAY_ADDRESS`, `RAY_AUTH_…`) in the environment, which `environment` may replace.

    Every method raises UnavailableError when Ray does not answer in time.
    """

    def __init__(self, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._one_at_a_time = asyncio.Lock()

    async def applications(self) -> dict[str, Application]:
        """All applications by name."""
        found = await self._ask("applications")
        return {
            name: Application(
                status=application["status"],
                message=application["message"],
                pids=frozenset(replica["pid"] for replica in application["replicas"] if replica["pid"]),
                running=sum(replica["state"] == "RUNNING" for replica in application["replicas"]),
            )
            for name, application in found.items()
        }

    async def deploy(self, name: str, spec: dict[str, Any]) -> None:
        """Have an application, made of a `ReplicaSpec` as JSON; one of this name is left as it is."""
        await self._ask("deploy", name, spec)

    async def delete(self, name: str) -> None:
        """Have no application of this name; it ends in the background, after its replicas have drained."""
        await self._ask("delete", name)

    async def close(self) -> None:
        """End the driver; the applications stay."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, operation: str, *arguments: Any) -> Any:
        request = {"operation": operation, "arguments": arguments, "limit_s": _LIMIT_S}
        async with self._one_at_a_time:
            answer = None
            try:
                process = await self._driver()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps(request).encode() + b"\n")
                await process.stdin.drain()
                async with asyncio.timeout(_LIMIT_S + 5):
                    answer = json.loads(await process.stdout.readline() or b"{}")
            except (OSError, ValueError, TimeoutError) as error:
                raise UnavailableError(
                    f"Ray does not answer ({operation}): {error!r}", code="ray_unavailable"
                ) from error
            finally:  # cancelled or failed: an answer that comes late must not be taken for the next one's
                if answer is None or "result" not in answer:
                    await self.close()
        if "result" not in answer:
            reason = answer.get("error") or f"no answer within {_LIMIT_S} s"
            raise UnavailableError(f"Ray refused ({operation}): {reason}", code="ray_unavailable")
        return answer["result"]

    async def _driver(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            # The stack's own secrets stay here; Ray's settings go along.
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
            environment = inherited | dict(self._environment)
            await _knock(environment.get("RAY_ADDRESS", ""))
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "serving.clients.ray_driver",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment,
                limit=_LINE_BYTES,
            )
        return self._process


async def _knock(address: str) -> None:
    """Raises OSError or TimeoutError when nobody listens at `host:port`: a driver would take a minute to find out. Other forms of
    `RAY_ADDRESS` (`auto`, `ray://…`) are left to Ray."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        async with asyncio.timeout(_KNOCK_S):
            _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
