"""A real replica in a process of its own, without Ray.

`replica_process.py <folder> <deployment> <NATS URL>` prints its port and ends when stdin does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelyard_runtime.replica.server import Node, Replica
from modelyard_runtime.replica.spec import ModelSpec, ReplicaSpec


def main() -> None:
    folder, deployment, nats_url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    model = ModelSpec(name="iris", version="1", tree="a" * 64, onnx_file="model.onnx")
    spec = ReplicaSpec(endpoint="flowers", deployment=deployment, generation=1, model=model)
    replica = Replica(spec, Node("127.0.0.1", nats_url, folder / "node", lambda _: folder, lambda _: folder, Path))
    sys.stdout.write(f"{replica.port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    replica.stop()


if __name__ == "__main__":
    main()
