"""Modelyard's own processes on the embedded stack: how each is started and the settings it is given, and no more than it needs."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modelyard.stack import parts, probes
from modelyard.stack.layout import LOOPBACK, Layout, StackError
from modelyard.stack.parts import Part

# Those that own a schema, by the name of their Python package, which is the name of their role and schema too.
OWNERS: Final = ("registry", "builder", "scheduler", "serving", "drift_monitor", "notifier")
SERVICES: Final = ("gateway", "registry", "builder", "scheduler", "serving", "drift-monitor", "notifier")
_WITH_STORE: Final = frozenset({"registry", "builder", "scheduler", "serving", "drift-monitor", "runner"})
_WITH_RAY: Final = frozenset({"serving", "runner"})
PROVISIONED: Final = frozenset({"database", "bucket", "streams"})


def module(name: str) -> str:
    return "modelyard_runtime.runner" if name == "runner" else name.replace("-", "_")


def url(layout: Layout, part: str = "edge") -> str:
    """Where a part answers HTTP; the edge's is the stack's public address."""
    return f"http://{LOOPBACK}:{layout.ports[part]}"


def service(layout: Layout, name: str) -> Part:
    """A service or the runner."""
    settings: dict[str, object] = {
        "HOST": LOOPBACK,
        "PORT": layout.ports[name],
        "NATS_URL": parts.nats_url(layout),
        "IDENTITY_KEY": layout.secret("identity"),
        "DATA_DIR": layout.folder("data") / name,
        "PUBLIC_URL": url(layout),
        **{f"{other.replace('-', '_').upper()}_URL": url(layout, other) for other in SERVICES if other != "gateway"},
    }
    if module(name) in OWNERS:
        settings["POSTGRES_DSN"] = parts.postgres_dsn(layout, module(name))
    if name in _WITH_STORE:
        settings |= _store(layout)
    if name == "registry":
        settings["S3_PUBLIC_URL"] = parts.s3_url(layout)
        settings["SIGNING_KEY"] = layout.signing_key()
        settings["OWNER_TOKEN_SHA256"] = hashlib.sha256(layout.owner_token().encode()).hexdigest()
    if name == "runner":
        settings["DATA_DIR"] = layout.folder("node")
    environment = _environment(name, settings)
    if name in _WITH_RAY:
        environment |= parts.ray_environment(layout)
    return _python(layout, name, environment, after=PROVISIONED | ({"ray"} if name in _WITH_RAY else set()))


def edge(layout: Layout) -> Part:
    """The edge needs neither database nor store, and nobody's leave to start."""
    settings: dict[str, object] = {
        "HOST": LOOPBACK,
        "PORT": layout.ports["edge"],
        "ADMIN_PORT": layout.ports["edge-admin"],
        "NATS_URL": parts.nats_url(layout),
        "GATEWAY_URL": url(layout, "gateway"),
        "DATA_DIR": layout.folder("data") / "edge",
    }
    return _python(layout, "edge", _environment("edge", settings), after=frozenset({"streams"}))


def node_environment(layout: Layout) -> Mapping[str, str]:
    """The environment of Ray's own process, inherited by its workers."""
    settings: dict[str, object] = {
        "NATS_URL": parts.nats_url(layout),
        "IDENTITY_KEY": layout.secret("identity"),
        "DATA_DIR": layout.folder("node"),
        "SCHEDULER_URL": url(layout, "scheduler"),
        "PUBLIC_URL": url(layout),
        "LISTEN_HOST": LOOPBACK,
        **_store(layout),
    }
    return _environment("node", settings)


def _store(layout: Layout) -> dict[str, object]:
    return {
        "S3_URL": parts.s3_url(layout),
        "S3_ACCESS_KEY": "modelyard",
        "S3_SECRET_KEY": layout.secret("s3"),
        "S3_BUCKET": parts.S3_BUCKET,
        "SIGNING_PUBLIC_KEY": layout.signing_public_key(),
    }


def _environment(name: str, settings: Mapping[str, object]) -> dict[str, str]:
    """The user's environment without other services' and other Rays' settings, and with these.

    What the user set for this very service (`MODELYARD_SERVING_LOG_LEVEL=DEBUG modelyard up`) stays, unless the stack decides it.
    """
    prefix = f"MODELYARD_{name.replace('-', '_').upper()}_"
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(prefix) or not key.startswith(("MODELYARD_", "RAY_"))
    }
    return inherited | {prefix + key: str(value) for key, value in settings.items()}


def _python(layout: Layout, name: str, environment: Mapping[str, str], after: frozenset[str] | set[str]) -> Part:
    Path(layout.folder("data") / name).mkdir(mode=0o700, exist_ok=True)
    port = layout.ports[name]
    answers = layout.ports.get(f"{name}-admin", port)  # the edge's public port is for its users only
    return Part(
        name=name,
        command=(sys.executable, "-m", module(name), "run"),
        environment=environment,
        folder=layout.home,
        ready=probes.http_ok(LOOPBACK, answers, "/readyz"),
        port=port,
        after=frozenset(after),
        start_timeout_s=90,
        stop_timeout_s=15,
    )


SERVERS: Final = ("nats", "postgres", "s3")
ALL: Final = ("ray", *SERVERS, "edge", *SERVICES, "runner")


def describe(layout: Layout, names: tuple[str, ...]) -> list[Part]:
    """The parts of these names, without dependencies on parts or one-shot jobs that are not among them.

    Ports must have been assigned, to all parts (`parts.ports_of`).
    """

    def part(name: str) -> Part:
        match name:
            case "nats":
                return parts.nats(layout)
            case "postgres":
                return parts.postgres(layout)
            case "s3":
                return parts.s3(layout)
            case "ray":
                return parts.ray(layout, node_environment(layout))
            case "edge":
                return edge(layout)
            case _ if name in ALL:
                return service(layout, name)
            case _:
                raise StackError(f"there is no part {name!r}; there are {', '.join(ALL)}")

    return [part(name) for name in names]
