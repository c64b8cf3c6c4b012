"""A driver with a Ray of its own: reads `{"run": spec}`, `{"delete": name}` as lines of JSON, answers each with a line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import ray
from ray import serve

from modelyard_runtime.replica.app import build
from modelyard_runtime.replica.spec import ReplicaSpec


def main() -> None:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80 * 1024 * 1024,
        _temp_dir=sys.argv[1],
        configure_logging=False,
        log_to_driver=False,
    )
    serve.start(proxy_location="Disabled")
    for line in sys.stdin:
        question = json.loads(line)
        if "run" in question:
            spec = ReplicaSpec.model_validate(question["run"])
            name = f"{spec.endpoint}--{spec.deployment}"
            error = None
            try:
                serve.run(build(spec), name=name, route_prefix=None)
            except RuntimeError as failed:
                error = str(failed)
            application = serve.status().applications[name]
            details: dict[str, Any] = {"status": application.status, "message": application.message}
            details["deployments"] = {key: value.message for key, value in application.deployments.items()}
            answer = {"error": error, **details}
        else:
            serve.delete(question["delete"])
            answer = {"deleted": question["delete"]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    serve.shutdown()  # type: ignore[no-untyped-call] # Ray's own
    ray.shutdown()


if __name__ == "__main__":
    main()
