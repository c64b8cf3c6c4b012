"""A deployment: a model in replicas, and the states it goes through.

A deployment has a target generation, the newest spec it was given, and a live one, the last that became ready. They differ while an
update is under way and after one that failed: the live generation is the last known good, and only it gets traffic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from serving.errors import BeingDeletedError

Status = Literal["requested", "building", "starting", "ready", "degraded", "failed", "deleting"]

NEXT: Final[dict[Status, frozenset[Status]]] = {
    "requested": frozenset({"requested", "building", "starting", "failed", "deleting"}),
    "building": frozenset({"requested", "building", "starting", "failed", "deleting"}),
    "starting": frozenset({"requested", "ready", "failed", "deleting"}),
    "ready": frozenset({"requested", "degraded", "deleting"}),
    "degraded": frozenset({"requested", "ready", "deleting"}),
    "failed": frozenset({"requested", "deleting"}),
    "deleting": frozenset(),
}
"""What a status may become. `requested` again: a new spec came."""

UNDER_WAY: Final[frozenset[Status]] = frozenset({"requested", "building", "starting"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """One spec, resolved. `model` is `name:version`; `plan` is the `ReplicaSpec` as JSON, there once the build is done.

    `refused` (`SUBJECT is refused: …`): a replica that should take a lost one's place has refused the model, which is not what was signed.
    """

    number: int
    spec: dict[str, Any]
    model: str | None
    plan: dict[str, Any] | None = None
    refused: str | None = None

    @property
    def refused_subject(self) -> str | None:
        """What the refused model is signed as."""
        return None if self.refused is None else self.refused.partition(" ")[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """One deployment of an endpoint. `cause` is the cause of its newest change, as JSON."""

    workspace: str
    endpoint: str
    name: str
    status: Status
    detail: str = ""
    target: Generation
    live: Generation | None = None
    replicas: int = 0
    all_traffic: bool = False
    cause: dict[str, Any]
    created_at: datetime
    changed_at: datetime

    @property
    def state(self) -> str:
        """The status in words, for messages."""
        return f"{self.status} ({self.detail.splitlines()[0]})" if self.detail else self.status


def application(endpoint: str, deployment: str, generation: int) -> str:
    """The Ray Serve application of one generation; a new one starts beside the live one. Names have no dots: no two share it."""
    return f"{endpoint}.{deployment}.g{generation}"


def _become(deployment: Deployment, status: Status, at: datetime, detail: str = "") -> Deployment:
    if status not in NEXT[deployment.status]:
        raise ValueError(f"a deployment that is {deployment.status} cannot become {status}")
    return replace(deployment, status=status, detail=detail, changed_at=at)


def updated(
    deployment: Deployment,
    *,
    spec: dict[str, Any],
    model: str | None,
    cause: dict[str, Any],
    all_traffic: bool,
    at: datetime,
) -> Deployment | None:
    """A new generation of the spec; None when it is the one already under way or live, so that sending it twice changes nothing.

    Raises BeingDeletedError.
    """
    if deployment.status == "deleting":
        raise BeingDeletedError(f"deployment {deployment.name!r} of {deployment.endpoint!r}")
    if deployment.status != "failed" and (deployment.target.spec, deployment.target.model) == (spec, model):
        return None
    target = Generation(number=deployment.target.number + 1, spec=spec, model=model)
    return replace(_become(deployment, "requested", at), target=target, cause=cause, all_traffic=all_traffic)


def building(deployment: Deployment, waits_for: str, at: datetime) -> Deployment:
    """Waits for something that others make: the conversion of its model, the lock of its environment."""
    return _become(deployment, "building", at, waits_for)


def starting(deployment: Deployment, plan: dict[str, Any], at: datetime) -> Deployment:
    """Everything it needs exists: its replicas may be started."""
    return replace(_become(deployment, "starting", at), target=replace(deployment.target, plan=plan))


def ready(deployment: Deployment, at: datetime) -> Deployment:
    """The target's replicas answer: it is the live generation from now on."""
    replicas = deployment.target.plan["num_replicas"] if deployment.target.plan else 0
    return replace(_become(deployment, "ready", at), live=deployment.target, replicas=replicas)


def failed(deployment: Deployment, detail: str, at: datetime) -> Deployment:
    """The target will not work as it is. What was live stays live."""
    return replace(_become(deployment, "failed", at, detail), all_traffic=False)


def observed(deployment: Deployment, replicas: int, at: datetime, refused: str | None = None) -> Deployment:
    """As many replicas of the live generation answer. Fewer than asked for is degraded; the deployment itself when nothing changed.

    `refused`: what a replica that did not come up has refused. It is remembered until as many answer as were asked for.
    """
    if deployment.live is None or deployment.live.plan is None or deployment.status == "deleting":
        return deployment
    wanted = deployment.live.plan["num_replicas"]
    live = replace(deployment.live, refused=None if replicas >= wanted else refused)
    if replicas < wanted and (refused is None or live.refused_subject == deployment.live.refused_subject):
        live = deployment.live  # said in other words, or not at all while Ray starts anew, it is the same
    seen = replace(deployment, replicas=replicas, live=live)
    detail = f"{replicas} of {wanted} replicas are running" + (f": {live.refused}" if live.refused else "")
    if deployment.status == "ready" and replicas < wanted:
        return _become(seen, "degraded", at, detail)
    if deployment.status == "degraded":
        if replicas >= wanted:
            return _become(seen, "ready", at)
        return replace(seen, detail=detail)
    return seen


def deleting(deployment: Deployment, cause: dict[str, Any], at: datetime) -> Deployment:
    """On its way out; the deployment itself when it already is."""
    if deployment.status == "deleting":
        return deployment
    return replace(_become(deployment, "deleting", at), cause=cause, all_traffic=False)
