"""Scripts that an unmodified MLflow client runs, of either major version."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from modelyard_testing import interpreters

SCRIPTS: Final = Path(__file__).parents[1] / "fixtures" / "mlflow"
_SCRIPT_S: Final = 120.0


def interpreter(client: str) -> Path:
    """The interpreter with what `<client>.txt` pins."""
    return interpreters.interpreter(SCRIPTS / f"{client}.txt")


def run_script(python: Path, script: Path, folder: Path, *, url: str, token: str, **variables: str) -> str:
    """What a script prints that the client runs in `folder`, knowing nothing but an address and a token; what it asserts has to hold."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_TRACKING_TOKEN": token,
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
        **variables,
    }
    command = [str(python), "-W", "ignore", str(script)]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=_SCRIPT_S, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
    return done.stdout
