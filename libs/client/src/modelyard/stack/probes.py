"""Is a part ready? Each probe returns when it is and raises `NotReadyError` when it is not yet."""

import asyncio
import json
from collections.abc import Awaitable, Callable

Probe = Callable[[], Awaitable[None]]
_TIMEOUT_S = 2.0


class NotReadyError(Exception):
    """The part does not answer as it should, and what it did instead."""


async def wait_until(probe: Probe, timeout_s: float, every_s: float = 0.05) -> None:
    """Poll until the probe passes.

    Raises:
        NotReadyError: it did not within `timeout_s`; the message is the last attempt's.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await probe()
        except (NotReadyError, OSError, TimeoutError, EOFError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise NotReadyError(f"not ready after {timeout_s:g} s: {error or type(error).__name__}") from error
        await asyncio.sleep(every_s)


def listening(host: str, *ports: int) -> Probe:
    """Something accepts connections on every port."""

    async def probe() -> None:
        for port in ports:
            _, writer = await asyncio.open_connection(host, port)
            writer.close()

    return probe


def http_ok(host: str, port: int, path: str, *, below: int = 300) -> Probe:
    """`GET path` is answered with a status below `below`."""

    async def probe() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read(4096)
        finally:
            writer.close()
        status = answer[9:12]
        if not answer.startswith(b"HTTP/1.") or not status.isdigit() or int(status) >= below:
            body = answer.partition(b"\r\n\r\n")[2].decode(errors="replace").strip()
            raise NotReadyError(
                f"GET {path} answered {status.decode(errors='replace') or 'nothing'} {body[:300]}".strip()
            )

    return probe


def nats_answers(host: str, port: int, user: str, password: str) -> Probe:
    """The server takes the credentials, has JetStream and answers a ping (NATS client protocol)."""

    async def probe() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            if not json.loads((await reader.readline()).removeprefix(b"INFO ") or b"{}").get("jetstream"):
                raise NotReadyError("JetStream is not on")
            login = {"user": user, "pass": password, "verbose": False, "pedantic": False}
            writer.write(b"CONNECT " + json.dumps(login).encode() + b"\r\nPING\r\n")
            if not (answer := await reader.readline()).startswith(b"PONG"):
                raise NotReadyError(answer.decode(errors="replace").strip())
        finally:
            writer.close()

    return probe


def postgres_answers(dsn: str) -> Probe:
    """The server lets the user in and runs a statement."""

    async def probe() -> None:
        import asyncpg

        try:
            connection = await asyncpg.connect(dsn, timeout=_TIMEOUT_S)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReadyError(str(error)) from error
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close(timeout=_TIMEOUT_S)

    return probe
