"""Where the code comes from: what git says of the folder it lies in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

_TIMEOUT_S: Final = 5.0


def git_state(folder: Path) -> dict[str, Any] | None:
    """Repository (without credentials), branch, commit, and whether anything is not committed; None where there is no git.

    Asks the git command, at most five seconds each time; a `status` that takes longer leaves `dirty` true, which is the careful answer.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    remote = _git(folder, "config", "--get", "remote.origin.url")
    changes = _git(folder, "status", "--porcelain")
    return {
        "repository": _without_credentials(remote) if remote else None,
        "branch": _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD"),
        "commit": commit,
        "dirty": changes is None or bool(changes),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _without_credentials(remote: str) -> str:
    try:
        url = urlsplit(remote)
    except ValueError:
        return remote
    if "@" not in url.netloc or not url.scheme or url.scheme == "ssh":
        return remote  # an scp-like address or ssh's user name: no secret in it
    return urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2]))
