"""Interpreters with what a test pins, such as an unmodified MLflow client: made from the index once, shared by all test processes."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Final

from modelyard.stack import parts

_ROOT: Final = Path(__file__).parents[4]
_INSTALL_S: Final = 170.0


def interpreter(requirements: Path) -> Path:
    """The interpreter with exactly what a file pins; made again when that changes. Raises RuntimeError with what uv says."""
    name = requirements.stem
    folder = _ROOT / "build" / "test-environments" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = f"{sys.version}\n{requirements.read_text(encoding='utf-8')}"
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            uv = parts.binary("uv")
            _run(uv, "venv", "--quiet", "--no-config", "--clear", "--python", sys.executable, str(folder))
            _run(
                uv, "pip", "install", "--quiet", "--no-config", "--no-deps", "--python", str(python), "-r", str(requirements)
            )  # fmt: skip
            stamp.write_text(wanted, encoding="utf-8")
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:3])} failed:\n{done.stderr[-4000:]}")
