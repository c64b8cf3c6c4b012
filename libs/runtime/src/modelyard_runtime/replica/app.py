"""A replica as a Ray Serve application.

Ray Serve places replicas, starts and stops them, checks their health and replaces them; requests do not pass through
it. It has to run with `proxy_location="Disabled"`, and the application is run with `route_prefix=None`:

    serve.run(build(spec), name=f"{spec.endpoint}--{spec.deployment}", route_prefix=None)
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any, Final

from uv import find_uv_bin

from modelyard_platform import manifests, trees
from modelyard_platform.manifests import Signed, Verifier
from modelyard_platform.objects import ObjectStore
from modelyard_platform.settings import NodeSettings
from modelyard_runtime import environments
from modelyard_runtime.replica.server import Node, Replica
from modelyard_runtime.replica.spec import ModelSpec, ReplicaSpec

CONSTRUCTOR_TRIES: Final = 3
"""A constructor that fails mostly fails for good (an `init()` that raises): Ray's own 20 tries would only hide the
reason for minutes."""
HEALTH_PERIOD_S: Final = 5.0
HEALTH_TIMEOUT_S: Final = 15.0


class ServedReplica:
    """What Ray Serve constructs, asks for its health, and destructs.

    A failure of the constructor, with a score script's traceback in it, is what Ray shows as the application's
    `DEPLOY_FAILED` message.
    """

    def __init__(self, spec: ReplicaSpec) -> None:
        self._replica = Replica(spec, this_node())
        settle_process()

    def check_health(self) -> None:
        """Raises when the replica does not answer: Ray Serve then replaces it."""
        self._replica.check()

    def __del__(self) -> None:
        """Called by Ray Serve at the end of a replica's life, once it wants no more of it; and by the garbage
        collector."""
        replica: Replica | None = getattr(self, "_replica", None)
        if replica is not None:
            replica.stop()


def settle_process() -> None:
    """Tunes the interpreter of a process that is now only a replica.

    What start-up has made (libraries, the model) stays for good: a full garbage collection that walks it again and
    again stops scoring for 100 ms, and collected rows, which are many small objects that live for a second, provoke
    it. The link's thread may hold the interpreter lock for half a millisecond at a time instead of five.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(0.0005)


def build(spec: ReplicaSpec) -> Any:
    """The `ray.serve.Application` of one deployment."""
    from ray import serve

    deployed: Any = serve.deployment(
        name="replica",
        num_replicas=spec.num_replicas,
        ray_actor_options={"num_cpus": spec.num_cpus, "num_gpus": spec.num_gpus},
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_wait_loop_s=0.1,
        graceful_shutdown_timeout_s=spec.drain_timeout_s + 10,
        max_constructor_retry_count=CONSTRUCTOR_TRIES,
    )(ServedReplica)
    return deployed.bind(spec)


def this_node() -> Node:
    """What the Ray node's own environment (`MODELYARD_NODE_…`) gives."""
    settings = NodeSettings()
    data_dir = settings.data_dir.absolute()
    store = ObjectStore(settings)
    verifier = Verifier.read(settings.signing_public_key)

    def fetch(digest: str) -> Path:
        return trees.materialise(store, digest, data_dir / "trees")

    def fetch_model(model: ModelSpec) -> Path:
        subject = model.subject or f"models/{model.name}/versions/{model.version}"  # of no scope: no manifest says so
        signed = Signed(tree=model.tree, manifest=model.manifest, subject=subject)
        return manifests.materialise(store, signed, verifier, data_dir / "trees")

    def interpreter(digest: str) -> Path:
        return environments.materialise(environments.Lock.parse(store.get_bytes(digest)), data_dir, find_uv_bin())

    return Node(settings.listen_host, settings.nats_url, data_dir, fetch, fetch_model, interpreter)
