"""SeaweedFS: a second S3 server, of other authors than the embedded stack's, so that nothing here relies on what only one does."""

import json
import signal
from pathlib import Path

from modelyard.stack import probes
from modelyard.stack.layout import LOOPBACK, Layout, bare_environment
from modelyard.stack.parts import Part, binary

_ROLES = ("master", "volume", "filer", "s3")


def seaweedfs_url(layout: Layout) -> str:
    return f"http://{LOOPBACK}:{layout.ports['seaweedfs-s3']}"


def remove_sockets(layout: Layout) -> None:
    """Remove what it leaves outside its folder: sockets whose place cannot be chosen. To be called when it has ended."""
    for role in _ROLES:
        Path(f"/tmp/seaweedfs-{role}-grpc-{layout.ports[f'seaweedfs-{role}-grpc']}.sock").unlink(missing_ok=True)  # noqa: S108 its own choice


def seaweedfs(layout: Layout) -> Part:
    """Master, volume, filer and S3 in one process, each on two ports of its own. Everything it writes stays in its own folder."""
    layout.assign_ports(f"seaweedfs-{role}{kind}" for role in _ROLES for kind in ("", "-grpc"))
    folder, sockets = layout.folder("seaweedfs"), layout.sockets()
    keys = {"accessKey": "modelyard", "secretKey": layout.secret("seaweedfs")}
    identity = {"name": "modelyard", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}

    def configure() -> None:
        config = folder / "s3.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps({"identities": [identity]}))

    options = {
        "dir": folder,
        "ip": LOOPBACK,
        "ip.bind": LOOPBACK,
        "filer": "true",
        "filer.localSocket": sockets / "seaweedfs-filer.sock",
        "s3": "true",
        "s3.config": folder / "s3.json",
        "s3.iam": "false",
        "s3.localSocket": sockets / "seaweedfs-s3.sock",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.telemetry": "false",
        "master.electionTimeout": "1s",
        "master.heartbeatInterval": "100ms",
        "master.volumeSizeLimitMB": 256,
        "volume.max": 0,
        "volume.preStopSeconds": 0,
        **{f"{role}.port": layout.ports[f"seaweedfs-{role}"] for role in _ROLES},
        **{f"{role}.port.grpc": layout.ports[f"seaweedfs-{role}-grpc"] for role in _ROLES},
    }
    port = layout.ports["seaweedfs-s3"]
    return Part(
        name="seaweedfs",
        command=(
            binary("weed"),
            "-logtostderr=true",
            "server",
            *(f"-{name}={value}" for name, value in options.items()),
        ),
        environment=bare_environment(HOME=str(folder)),
        folder=folder,
        ready=probes.http_ok(LOOPBACK, port, "/", below=500),  # 403 to strangers
        port=port,
        prepare=configure,
        start_timeout_s=30,
        stop_signal=signal.SIGKILL,  # it takes ten seconds to leave, and what it holds is worth nothing
    )
