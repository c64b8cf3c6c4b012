"""The process that speaks to Ray Serve: one JSON request a line on standard input, one answer a line on standard output.

Why a process: a Ray driver sets signal handlers, cannot be interrupted, and is ended by Ray itself when the cluster goes away. None
of that may reach the service. It exits after any error, and the next call starts a new one; what it has deployed lives on in Ray
Serve (its controller is a detached actor). A request that takes longer than its `limit_s` ends the process (SIGALRM).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

import ray
from ray import serve
from ray.serve.context import _get_global_client

from modelyard_runtime.replica.app import build
from modelyard_runtime.replica.spec import ReplicaSpec


def connect() -> None:
    """Join the cluster at `RAY_ADDRESS`. Nothing is started when there is none."""
    ray.init(
        address=os.environ.get("RAY_ADDRESS", "auto"),
        namespace="modelyard",
        log_to_driver=False,
        configure_logging=False,
    )
    serve.start(proxy_location="Disabled")


def applications() -> dict[str, Any]:
    """Every application: its status, Ray's message, and its replicas' pids and states."""
    client = _get_global_client()  # the only way to replicas' pids; `serve.status()` only counts them
    assert client is not None  # it raises when Serve does not run
    found = client.get_serve_details()["applications"]
    return {
        name: {
            "status": _text(application["status"]),
            "message": "\n".join(
                text
                for text in (application["message"], *(d["message"] for d in application["deployments"].values()))
                if text
            ),
            "replicas": [
                {"pid": replica.get("pid"), "state": _text(replica["state"])}  # one that does not run yet has none
                for deployment in application["deployments"].values()
                for replica in deployment["replicas"]
            ],
        }
        for name, application in found.items()
    }


def deploy(name: str, spec: dict[str, Any]) -> None:
    """Ask for an application; it comes up in the background. One that is there already is left alone."""
    there = applications().get(name)
    if there is not None and there["status"] == "DELETING":
        raise RuntimeError(f"application {name} is still being deleted")
    if there is None:
        target = serve.RunTarget(target=build(ReplicaSpec.model_validate(spec)), name=name, route_prefix=None)
        serve.run_many([target], wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)


def delete(name: str) -> None:
    """Ask for an application's end; its replicas drain first."""
    serve.delete(name, _blocking=False)


OPERATIONS: Final[dict[str, Callable[..., Any]]] = {"applications": applications, "deploy": deploy, "delete": delete}


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))


def main() -> None:
    """Answer until standard input closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever prints must not come between the answers
    connected = False
    for line in sys.stdin:
        request = json.loads(line)
        signal.alarm(int(request["limit_s"]))
        try:
            if not connected:
                connect()
                connected = True
            result = OPERATIONS[request["operation"]](*request["arguments"])
        except Exception as error:  # noqa: BLE001  # told to whoever asked; a fresh process is the cure for all of them
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
            break
        answers.write(json.dumps({"result": result}) + "\n")
        signal.alarm(0)


if __name__ == "__main__":
    main()
