"""What the registry knows, and its pure decisions."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from modelyard_contracts import Event, short_type
from modelyard_contracts.registry import AssetKind
from registry.errors import InvalidError

KINDS: Final[tuple[AssetKind, ...]] = ("models", "data", "environments", "components")

NEWEST: Final = 2**63 - 1
"""The cursor before the first page of a list that runs from newest to oldest."""

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")
_ALIAS: Final = re.compile(r"^[A-Za-z][A-Za-z0-9._-]{0,63}$")


def check_name(name: str, what: str = "name") -> str:
    """The name itself. Raises InvalidError, saying what names look like."""
    if not _NAME.match(name):
        raise InvalidError(
            f"{what} {name[:80]!r} is not allowed: 1 to 255 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
            path=what,
        )
    return name


def check_alias(alias: str) -> str:
    """An alias begins with a letter (so that it is never a version) and is not `latest`, which is always the newest."""
    if not _ALIAS.match(alias) or alias == "latest":
        raise InvalidError(
            f"alias {alias[:80]!r} is not allowed: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter, and not 'latest'",
            path="alias",
        )
    return alias


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVersion:
    """A version about to be registered. `version` None asks for the next number."""

    kind: AssetKind
    name: str
    version: str | None
    type: str | None
    description: str
    tags: dict[str, str]
    properties: dict[str, str]
    stage: str | None
    tree: str | None
    size: int
    spec: dict[str, Any]
    job: str | None
    environment: str | None
    sample: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetVersion:
    """One version: content that never changes, and metadata that may."""

    id: int
    kind: AssetKind
    name: str
    version: str
    type: str | None
    description: str
    tags: dict[str, str]
    properties: dict[str, str]
    stage: str | None
    tree: str | None
    size: int
    spec: dict[str, Any]
    job: str | None
    environment: str | None
    sample: str | None
    archived: bool
    conversion: dict[str, Any] | None
    profile: dict[str, Any] | None
    created_by: str
    created_at: datetime
    aliases: tuple[str, ...] = ()


# --- promotion -----------------------------------------------------------------------------------------------------

_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CLAUSE: Final = re.compile(
    r"^candidate\.(?P<metric>\w+)\s*(?P<op><=|>=|<|>)\s*champion\.(?P<other>\w+)"
    r"(?:\s*(?P<change>[*+-])\s*(?P<amount>\d+(?:\.\d+)?))?$"
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Approved or not, with every clause's figures."""

    approved: bool
    detail: str


def decide_promotion(criterion: str, candidate: dict[str, float], champion: dict[str, float]) -> Decision:
    """Judge a candidate against the champion by clauses joined with `and`, such as `candidate.log_loss < champion.log_loss * 0.99`.

    Raises InvalidError for a clause that cannot be read or a metric that one side does not have.
    """
    approved, said = True, []
    for clause in (part.strip() for part in criterion.split(" and ")):
        match = _CLAUSE.match(clause)
        if match is None:
            raise InvalidError(
                f"cannot read {clause!r}: write candidate.METRIC <|<=|>|>= champion.METRIC [*|+|- NUMBER], joined by ' and '",
                path="criterion",
            )
        left = _metric("candidate", candidate, match["metric"])
        right = _metric("champion", champion, match["other"])
        amount = float(match["amount"] or 0)
        match match["change"]:
            case "*":
                right *= amount
            case "+":
                right += amount
            case "-":
                right -= amount
        holds = _COMPARE[match["op"]](left, right)
        approved = approved and holds
        said.append(f"{clause}: {left:.6g} against {right:.6g}, {'holds' if holds else 'does not hold'}")
    return Decision(approved, "; ".join(said))


def _metric(side: str, metrics: dict[str, float], name: str) -> float:
    if name not in metrics:
        raise InvalidError(
            f"{side} has no metric {name!r}; it has {', '.join(sorted(metrics)) or 'none'}", path=f"evidence.{side}"
        )
    return metrics[name]


# --- why ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fact:
    """An event as the log keeps it."""

    event_id: UUID
    type: str
    subject: str
    sequence: int
    time: datetime
    actor: str
    reason: str | None
    correlation_id: str
    causation_id: str | None
    data: dict[str, Any]


def fact_of(event: Event[Any]) -> Fact:
    """The part of an event that the log keeps."""
    return Fact(
        event_id=event.id,
        type=short_type(event.type),
        subject=event.subject,
        sequence=event.sequence,
        time=event.time,
        actor=event.actor,
        reason=event.reason,
        correlation_id=event.correlationid,
        causation_id=event.causationid,
        data=event.data.model_dump(mode="json"),
    )


@dataclass(frozen=True, slots=True)
class Link:
    """Something a fact rests on: the newest event of this type about this subject that is not younger than the fact."""

    type: str
    subject: str


def links_of(fact: Fact) -> list[Link]:
    """What a fact rests on besides the event that caused it: the deployment behind traffic, its model, the model's job."""
    data = fact.data
    match fact.type:
        case "endpoint.traffic_changed":
            return [
                Link("deployment.ready", f"{fact.subject}/deployments/{name}")
                for name, share in data["traffic"].items()
                if share
            ]
        case "deployment.ready":
            return [Link("deployment.requested", fact.subject)]
        case "deployment.requested" if data.get("model"):
            model = _model_subject(data["model"])
            return [Link(kind, model) for kind in ("promotion.approved", "model.converted", "model.registered")]
        case "promotion.approved" | "model.converted":
            return [Link("model.registered", fact.subject)]
        case "model.registered" if data.get("job"):
            return [Link("job.completed", f"jobs/{data['job']}"), Link("job.submitted", f"jobs/{data['job']}")]
        case "job.completed":
            return [Link("job.submitted", fact.subject)]
        case _:
            return []


def _model_subject(reference: str) -> str:
    name, _, version = reference.rpartition(":")
    return f"models/{name}/versions/{version}"


STARTS: Final[dict[str, tuple[Literal["endpoints", "models", "jobs"], tuple[str, ...]]]] = {
    "endpoint": ("endpoints", ("endpoint.traffic_changed", "endpoint.created")),
    "model": ("models", ("model.alias_moved", "promotion.approved", "model.registered")),
    "job": ("jobs", ("job.completed", "job.failed", "job.submitted")),
}
"""Where the answer to "why" begins: the newest event of the first of these types that the subject has."""


def start_subject(entity: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Subject and event types to begin with. `name` of a model is `name:version`. Raises InvalidError."""
    if entity not in STARTS:
        raise InvalidError(f"cannot explain {entity!r}; ask about {', '.join(STARTS)}", path="entity")
    collection, types = STARTS[entity]
    if entity == "model":
        if ":" not in name:
            raise InvalidError(f"say which version: model/{name}:VERSION", path="name")
        return _model_subject(name), types
    return f"{collection}/{name}", types
