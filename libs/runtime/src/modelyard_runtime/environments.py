"""Users' Python environments on a node: made once from a lock, shared by every process that runs in them."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from modelyard_platform.errors import InvalidError, PlatformError

MAKE_TIMEOUT_S: Final = 900.0
COMPLETE: Final = ".complete"
# What uv says when it cannot reach an index, as opposed to when the index answers that it has no such thing.
UNREACHABLE: Final = (
    "error sending request",
    "dns error",
    "tcp connect error",
    "operation timed out",
    "Connection refused",
)


class EnvironmentFailedError(PlatformError):
    """An environment cannot be made on this node; of kind `unavailable` when the same lock may well succeed later (network, time)."""

    code = "environment_failed"


@dataclass(frozen=True, slots=True)
class Lock:
    """What an environment is: the interpreter's minor version and hash-pinned requirement lines (the format of pip)."""

    python: str
    requirements: str

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """Reads a lock's blob. Raises InvalidError saying what it should be."""
        try:
            fields = json.loads(document)
        except ValueError:
            fields = None
        if not isinstance(fields, dict) or {k for k, v in fields.items() if isinstance(v, str)} != {
            "python",
            "requirements",
        }:
            raise InvalidError('an environment lock is {"python": "3.11", "requirements": "…"} with two texts')
        return cls(**fields)

    @property
    def document(self) -> bytes:
        """The lock as it is stored: JSON with sorted keys and compact separators, so that equal locks are equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def digest(self) -> str:
        """The environment's identity: sha256 of the document, 64 hexadecimal digits."""
        return hashlib.sha256(self.document).hexdigest()


def materialise(lock: Lock, root: Path, uv: str, *, timeout_s: float = MAKE_TIMEOUT_S) -> Path:
    """The interpreter (`…/bin/python`) of the lock's environment under `root/envs/<digest>`, made by `uv` if it is not there.

    However many processes ask at once, one makes it and the others wait, all for at most `timeout_s` seconds. A folder
    without its `.complete` marker was left by a maker that died: it is removed and made again.
    Raises EnvironmentFailedError.
    """
    folder = root / "envs" / lock.digest
    interpreter = folder / "bin" / "python"
    deadline = time.monotonic() + timeout_s
    if _usable(folder):
        return interpreter
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_maker(folder.with_suffix(".lock"), deadline):
        if _usable(folder):
            return interpreter
        shutil.rmtree(folder, ignore_errors=True)
        try:
            _make(lock, folder, uv, deadline)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return interpreter


def uv_environment() -> dict[str, str]:
    """The variables uv runs with: this process's own without Modelyard's (building a package runs its author's code), and a
    PATH on which pyenv's interpreters are found beside the system's (its shims answer only for the versions it has switched on)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MODELYARD_", "VIRTUAL_ENV", "PYTHON"))}
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    kept["PATH"] = os.pathsep.join([kept.get("PATH", os.defpath), *map(str, sorted(pyenv.glob("versions/3.*/bin")))])
    return kept


def installed_pythons(uv: str) -> list[str]:
    """The versions of the interpreters on this node, newest first, such as `3.12.1`."""
    done = subprocess.run(
        [uv, "python", "list", "--only-installed", "--output-format", "json"],
        env=uv_environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        return []
    found = {tuple(entry["version_parts"].values()) for entry in json.loads(done.stdout)}
    return [".".join(map(str, version)) for version in sorted(found, reverse=True)]


def _usable(folder: Path) -> bool:
    # The interpreter is a link to the node's own Python, which may have been upgraded away.
    return (folder / COMPLETE).exists() and (folder / "bin" / "python").exists()


def _make(lock: Lock, folder: Path, uv: str, deadline: float) -> None:
    _uv(uv, ["venv", "--quiet", "--python", lock.python, "--no-python-downloads", str(folder)], lock, deadline)
    requirements = folder / "requirements.txt"
    requirements.write_text(lock.requirements, encoding="utf-8")
    _uv(
        uv,
        ["pip", "sync", "--quiet", "--require-hashes", "--allow-empty-requirements", "--no-python-downloads",
         "--python", str(folder / "bin" / "python"), str(requirements)],
        lock, deadline,
    )  # fmt: skip
    (folder / "lock.json").write_bytes(lock.document)
    (folder / COMPLETE).touch()


def _uv(uv: str, arguments: list[str], lock: Lock, deadline: float) -> None:
    process = subprocess.Popen(
        [uv, *arguments], env=uv_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise EnvironmentFailedError(
            f"environment {lock.digest[:12]} was not made in the time allowed", kind="unavailable"
        ) from None
    finally:
        if process.poll() is None:  # uv may be building a package: the compiler goes with it
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode == 0:
        return
    said = said.strip()[-4000:]
    at_hand = installed_pythons(uv) if arguments[0] == "venv" else []
    if at_hand and not any(f"{version}.".startswith(f"{lock.python}.") for version in at_hand):
        raise EnvironmentFailedError(f"Python {lock.python} is not on this node; at hand: {', '.join(at_hand)}")
    if any(sign in said for sign in UNREACHABLE):
        raise EnvironmentFailedError(f"the package index cannot be reached:\n{said}", kind="unavailable")
    raise EnvironmentFailedError(f"uv {' '.join(arguments[:2])} failed with exit code {process.returncode}:\n{said}")


@contextmanager
def _only_maker(path: Path, deadline: float) -> Iterator[None]:
    """Holds the file lock `path`; the kernel lets go of it when the holder dies, so a lock is never stale."""
    with path.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    detail = f"another process has been making environment {path.stem[:12]} for too long"
                    raise EnvironmentFailedError(detail, kind="unavailable") from None
                time.sleep(0.1)
        yield
