"""Peers: other people's servers, each in an environment of its own, measured in the same run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modelyard.stack import parts, process
from tests.benchmarks.bench import tell

_ROOT: Final = Path(__file__).parents[2]
_PEERS: Final = Path(__file__).parent / "peers"
_INSTALL_S: Final = 600.0
_START_S: Final = 30.0
_STOP_S: Final = 10.0


class PeerError(Exception):
    """A peer could not be installed or started."""


def environment(name: str) -> Path:
    """The interpreter of `build/peers/<name>`, with what `peers/<name>.txt` pins; made once, and again when that changes.

    Raises:
        PeerError: uv could not make it.
    """
    requirements = _PEERS / f"{name}.txt"
    folder = _ROOT / "build" / "peers" / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    tell(f"installing the peer {name}")
    uv = parts.binary("uv")
    # Without the workspace's configuration, which keeps plain onnxruntime out.
    _run(uv, "venv", "--quiet", "--no-config", "--clear", "--python", sys.executable, str(folder))
    _run(uv, "pip", "install", "--quiet", "--no-config", "--no-deps", "--python", str(python), "-r", str(requirements))
    stamp.write_text(wanted, encoding="utf-8")
    return python


@contextmanager
def serving(name: str, *arguments: str, start_s: float = _START_S) -> Iterator[int]:
    """Run `peers/<name>_server.py` in its environment; gives the port it listens on. It ends on leaving, and with this process.

    Raises:
        PeerError: it does not say its port in time.
    """
    command = [str(environment(name)), "-I", str(_PEERS / f"{name}_server.py"), *arguments]
    child = subprocess.Popen(process.launched(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(start_s, child.kill)
    timer.start()
    try:
        assert child.stdout is not None
        line = child.stdout.readline().strip()
        timer.cancel()
        if not line.isdecimal():
            raise PeerError(f"{name} did not say its port within {start_s:g} s")
        yield int(line)
    finally:
        timer.cancel()
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(_STOP_S)
        if child.stdout is not None:
            child.stdout.close()


def _run(*command: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PYTHON"}}
    try:
        done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        raise PeerError(f"{' '.join(command[1:3])} took longer than {_INSTALL_S:g} s") from None
    if done.returncode != 0:
        raise PeerError(f"{' '.join(command[1:3])} failed: {done.stderr.strip()[-2000:]}")
