"""The peer: MLflow's tracking server with its model registry, two workers. `mlflow_server.py DATABASE_URI ARTIFACTS`.

It makes its tables first; the port is said once it answers.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

uri, artifacts = sys.argv[1:]
server = subprocess.Popen(
    [
        *(sys.executable, "-I", "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "2"),
        *("--backend-store-uri", uri, "--default-artifact-root", artifacts),
    ],
    stdout=subprocess.DEVNULL,
    stderr=sys.stderr,
    start_new_session=True,
)


def end(*_: object) -> None:
    """End the server with its workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
while server.poll() is None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            break
    except OSError:
        time.sleep(0.2)
if server.poll() is not None:
    sys.exit(f"mlflow ended with {server.returncode}")
sys.stdout.write(f"{port}\n")
sys.stdout.flush()
server.wait()
