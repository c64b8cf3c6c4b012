"""Where a stack keeps its things: one data folder with its ports, secrets, logs and data, and one short folder for sockets."""

import contextlib
import fcntl
import hashlib
import json
import os
import random
import secrets
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range from which Linux takes ports for outgoing connections (32768 and up): a part that restarts finds its port free.
_PORTS = range(20000, 32000)
# A Unix socket's path is limited to 107 bytes; Ray adds up to 70 of its own.
_LONGEST_TMP = 16
_LOCK_ATTEMPTS, _LOCK_DELAY_S = 4, 0.05


class StackError(Exception):
    """The stack cannot be what it was asked to be; the message says what is missing or wrong."""


class StackRunningError(StackError):
    """Another supervisor holds this data folder."""

    def __init__(self, home: Path, pid: int | None) -> None:
        super().__init__(f"a stack is already running on {home} (supervisor's pid {pid or 'unknown'})")
        self.home = home
        self.pid = pid


class UnsafeFolderError(StackError):
    """A folder that must be this user's alone belongs to somebody else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} exists but is not a folder of this user with mode 0700; remove it or set TMPDIR")
        self.folder = folder


def default_home() -> Path:
    """The data folder: `MODELYARD_HOME`, else `~/.modelyard`."""
    return Path(os.environ.get("MODELYARD_HOME") or "~/.modelyard").expanduser().resolve()


def write_atomically(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace a file's content in one step, so that a reader sees the old text or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.replace(path)


@dataclass(frozen=True)
class Layout:
    """The paths, ports and secrets of one stack. Ports and secrets are made at first use and kept."""

    home: Path
    ports: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, home: Path) -> "Layout":
        """The layout of an existing or new data folder (made with mode 0700)."""
        home = home.expanduser().resolve()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("secrets", "logs"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
        try:
            ports = json.loads((home / "stack.json").read_text())["ports"]
        except FileNotFoundError:
            ports = {}
        return cls(home=home, ports=ports)

    def folder(self, name: str) -> Path:
        """A part's own folder under the data folder."""
        path = self.home / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, part: str) -> Path:
        return self.home / "logs" / f"{part}.log"

    @property
    def run_file(self) -> Path:
        """What the supervisor tells of itself and its parts, for `status` and for recovery."""
        return self.home / "run.json"

    @property
    def token_file(self) -> Path:
        """The first owner's token."""
        return self.home / "token"

    def sockets_path(self) -> Path:
        """Where `sockets` makes its folder."""
        tmp = tempfile.gettempdir()
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:8]
        return Path(tmp if len(tmp) <= _LONGEST_TMP else "/tmp") / f"modelyard-{os.getuid()}-{digest}"  # noqa: S108 ownership and mode are checked below

    def sockets(self) -> Path:
        """A short folder for Unix sockets, this user's alone.

        Raises:
            UnsafeFolderError: somebody else made it first.
        """
        path = self.sockets_path()
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise UnsafeFolderError(path)
        return path

    def remove_sockets(self) -> None:
        """Remove the folder of sockets; nothing of the stack may run."""
        shutil.rmtree(self.sockets())

    def secret(self, name: str) -> str:
        """A random secret (256 bits, URL-safe), made once, in a file of mode 0600."""
        return _secret_file(self.secret_file(name))

    def secret_file(self, name: str) -> Path:
        return self.home / "secrets" / name

    def signing_key(self) -> Path:
        """The key that the registry signs versions' manifests with: made once, a PEM file of mode 0600."""
        from modelyard_platform.manifests import new_private_key

        path = self.secret_file("signing-key.pem")
        if not path.exists():
            write_atomically(path, new_private_key().decode())
        return path

    def signing_public_key(self) -> Path:
        """Its public half, for whoever loads what was signed."""
        from modelyard_platform.manifests import Signer

        path = self.home / "signing-key.pub"
        if not path.exists():
            write_atomically(path, Signer.read(self.signing_key()).public_key, mode=0o644)
        return path

    def owner_token(self) -> str:
        return _secret_file(self.token_file)

    def assign_ports(self, names: Iterable[str]) -> None:
        """Give each name a free port, the recorded one where it still is free, and write them down.

        To be called while the lock is held and nothing of this stack runs.
        """
        taken = set(self.ports.values())
        for name in names:
            if name not in self.ports or not _is_free(self.ports[name]):
                self.ports[name] = _free_port(taken)
                taken.add(self.ports[name])
        write_atomically(self.home / "stack.json", json.dumps({"ports": self.ports}, indent=2) + "\n")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold this data folder. The kernel lets go of it when the process dies, however it dies.

        Raises:
            StackRunningError: another process holds it.
        """
        with (self.home / "lock").open("a+") as file:
            for attempt in reversed(range(_LOCK_ATTEMPTS)):  # `holder` below holds it for an instant
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not attempt:
                        raise StackRunningError(self.home, self._holder()) from None
                    time.sleep(_LOCK_DELAY_S)
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def holder(self) -> int | None:
        """The pid of the supervisor that holds the lock, None when nobody does."""
        with (self.home / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return self._holder() or -1
        return None

    def _holder(self) -> int | None:
        text = (self.home / "lock").read_text()
        return int(text) if text.isdecimal() else None


def bare_environment(**more: str) -> Mapping[str, str]:
    """The environment of a server that needs nothing from its user's shell."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR") if name in os.environ}
    return kept | more


def _secret_file(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    value = secrets.token_urlsafe(32)
    write_atomically(path, value)
    return value


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    for port in random.sample(_PORTS, 200):
        if port not in taken and _is_free(port):
            return port
    raise StackError(f"200 random ports from {_PORTS.start} to {_PORTS.stop - 1} are all in use")
