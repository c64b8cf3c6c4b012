"""The lineage graph: which things there are, and which rests on which. Pure: an event in, edges out.

commit → code → job → data, model → package → deployment → endpoint → drift → job …
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from registry.domain.facts import Fact, version_subject
from registry.errors import InvalidError

Direction = Literal["up", "down", "both"]
"""`up`: what it rests on. `down`: what rests on it."""

MAX_DEPTH: Final = 50
MAX_NODES: Final = 1000
FAN_OUT: Final = 200
"""Of one node's neighbours so many are followed, the newest."""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """`target` rests on `source`. An edge that is not `lasting` holds until the next event of its sort about the same subject."""

    target: str
    source: str
    relation: str
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class KeptEdge:
    """An edge as it is kept. `until` is None while it holds."""

    source: str
    relation: str
    target: str
    since: datetime
    until: datetime | None
    event_id: UUID


SUCCESSORS: Final[dict[str, tuple[str, ...]]] = {
    type_: sort
    for sort in (
        ("deployment.ready", "deployment.deleted"),
        ("endpoint.traffic_changed", "endpoint.deleted"),
        ("monitor.updated", "monitor.deleted"),
    )
    for type_ in sort
}
"""The events that say what now holds about their subject, each with those that end what it said."""

_OUTPUT: Final = re.compile(r"^azureml://jobs/(?P<job>[^/]+)/outputs/")
_TREE: Final = re.compile(r"^modelyard://trees/(?P<digest>[0-9a-f]{64})")
_USE: Final = {"environments": "environment", "components": "component"}


def edges_of(fact: Fact) -> tuple[Edge, ...]:
    """What an event says of where things come from, without repetition, in a fixed order."""
    return tuple(sorted(set(_edges(fact))))


def _edges(fact: Fact) -> Iterator[Edge]:
    data, subject = fact.data, fact.subject
    match fact.type:
        case "job.submitted":
            yield from _of_job(subject, data)
        case "schedule.fired" if data.get("event_subject"):
            because = data["event_subject"] if data["event_type"] != "drift.detected" else f"drift/{data['event']}"
            yield Edge(f"jobs/{data['job']}", because, "triggered")
        case "step.started" | "step.reused":
            job = f"jobs/{data['job']}"
            if data.get("environment"):
                yield Edge(job, f"locks/{data['environment']}", "environment")
            source = "/".join(str(data.get("source") or job).split("/")[:2])
            if source != job:
                yield Edge(job, source, "reused")
        case "model.registered" | "data.registered" | "environment.registered" | "component.registered":
            if data.get("job"):
                yield Edge(subject, f"jobs/{data['job']}", "made")
            if data.get("environment"):
                yield Edge(subject, f"locks/{data['environment']}", "environment")
        case "model.shared" | "data.shared" | "environment.shared" | "component.shared":
            yield Edge(data["target"], subject, "shared")
        case "environment.built":
            yield Edge(f"locks/{data['lock']}", subject, "locked")
        case "model.converted":
            package = f"packages/{data['tree']}"
            yield Edge(package, subject, "package")
            if data.get("environment"):
                yield Edge(package, f"locks/{data['environment']}", "environment")
        case "deployment.ready":
            yield from _of_deployment(subject, data)
        case "endpoint.traffic_changed":
            for name, share in data["traffic"].items():
                if share:
                    yield Edge(subject, f"{subject}/deployments/{name}", "answers", lasting=False)
        case "monitor.updated":
            watched = f"endpoints/{data['endpoint']}/deployments/{data['deployment']}"
            yield Edge(subject, watched, "watched", lasting=False)
            for reference in data.get("references", ()):
                yield Edge(subject, version_subject("data", reference), "baseline", lasting=False)
        case "drift.detected":
            drift = f"drift/{fact.event_id}"
            yield Edge(drift, f"endpoints/{data['endpoint']}", "showed")
            yield Edge(drift, subject, "showed")
            yield Edge(drift, f"monitors/{data['monitor']}", "raised")
            if data.get("model"):
                yield Edge(drift, version_subject("models", data["model"]), "showed")
        case _:
            return


def _of_job(job: str, data: dict[str, Any]) -> Iterator[Edge]:
    commit = f"commits/{data['commit']}" if data.get("commit") else None
    codes = [f"code/{digest}" for digest in data.get("code", ())]
    for code in codes:
        yield Edge(job, code, "ran")
        if commit:
            yield Edge(code, commit, "snapshot")
    if commit and not codes:
        yield Edge(job, commit, "ran")
    for used in data.get("uses") or ():
        yield Edge(job, used, _USE.get(own(used).partition("/")[0], "input"))
    for value in (data.get("inputs") or {}).values():
        if found := _OUTPUT.match(value):
            yield Edge(job, f"jobs/{found['job']}", "input")
        elif found := _TREE.match(value):
            yield Edge(job, f"trees/{found['digest']}", "input")
    if data.get("trigger"):
        yield Edge(job, f"triggers/{data['trigger']}", "submitted")


def _of_deployment(subject: str, data: dict[str, Any]) -> Iterator[Edge]:
    model = version_subject("models", data["model"]) if data.get("model") else None
    package = f"packages/{data['package']}" if data.get("package") else None
    if model:
        yield Edge(subject, model, "deployed", lasting=False)
    if package:
        yield Edge(subject, package, "deployed", lasting=False)
    if model and package:
        yield Edge(package, model, "package")
    if data.get("code"):
        yield Edge(subject, f"code/{data['code']}", "ran", lasting=False)
    if data.get("environment"):
        yield Edge(subject, f"locks/{data['environment']}", "environment", lasting=False)
    yield Edge(f"endpoints/{data['endpoint']}", subject, "part_of", lasting=False)


def own(node: str) -> str:
    """The address within its registry of what is in a shared one, `registries/R/models/x/versions/1`; any other as it is."""
    head, _, rest = node.partition("/")
    return rest.partition("/")[2] if head == "registries" else node


def scope_of(node: str, workspace: str) -> str:
    """Where the events of a node are kept: with the shared registry that it is of, or with the workspace that asks."""
    head, _, rest = node.partition("/")
    registry, _, own_address = rest.partition("/")
    return f"registries/{registry}" if head == "registries" and own_address else workspace


KINDS: Final = {
    "models": "model",
    "data": "data",
    "environments": "environment",
    "components": "component",
    "jobs": "job",
    "endpoints": "endpoint",
    "monitors": "monitor",
    "triggers": "trigger",
    "datastores": "datastore",
    "commits": "commit",
    "code": "code",
    "locks": "lock",
    "trees": "files",
    "packages": "package",
    "drift": "drift",
}
"""What the first part of a node's address is called, one of it."""
_ASSETS: Final = ("model", "data", "environment", "component")
_BY_EVENT: Final = ("commit", "code", "lock", "files", "package", "drift")
"""Things without events of their own: what is known of them stands in the event of an edge."""


def node_of(text: str) -> str:
    """The address of what a person names: `model/NAME:VERSION`, `endpoint/NAME`, `deployment/ENDPOINT/NAME`, `job/NAME` …, or itself.

    Raises InvalidError.
    """
    head, _, rest = text.strip("/").partition("/")
    if head == "registries" and _kind(text) in _ASSETS:
        return text
    if head == "deployment" and rest.count("/") == 1:
        endpoint, _, name = rest.partition("/")
        return f"endpoints/{endpoint}/deployments/{name}"
    collection = next((many for many, one in KINDS.items() if head in (one, many)), None)
    if collection is None or not rest:
        raise InvalidError(
            f"{text[:200]!r} names nothing; write model/NAME:VERSION, endpoint/NAME, deployment/ENDPOINT/NAME or another of "
            f"{', '.join(f'{kind}/…' for kind in KINDS.values())}",
            path="node",
        )
    if KINDS[collection] not in _ASSETS or "/versions/" in rest:
        return f"{collection}/{rest}"
    if ":" not in rest:
        raise InvalidError(f"say which version: {KINDS[collection]}/{rest}:VERSION", path="node")
    return version_subject(collection, rest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A thing, as it was at the time that was asked for. `state` is None where it has none or nothing was known of it yet."""

    id: str
    kind: str
    name: str
    version: str | None
    title: str
    state: str | None
    by: str | None
    time: datetime | None


def _kind(node: str) -> str:
    head = own(node).partition("/")[0]
    return KINDS.get(head, head)


def needs_edge(node: str) -> bool:
    """Whether a node is described by the event of an edge, since it has none of its own."""
    return _kind(node) in _BY_EVENT


def describe(node: str, fact: Fact | None) -> Node:
    """What is shown of a node. `fact` is the event that tells most of it: its newest, or that of an edge."""
    rest = own(node).partition("/")[2]
    kind, name, version = _kind(node), rest, None
    if kind in _ASSETS:
        name, _, version = rest.partition("/versions/")
        if node.startswith("registries/"):
            name = f"{node.split('/')[1]}/{name}"
    elif kind == "endpoint" and "/deployments/" in rest:
        kind, name = "deployment", rest.replace("/deployments/", "/")
    data = fact.data if fact else {}
    return Node(
        id=node,
        kind=kind,
        name=name,
        version=version,
        title=_title(kind, name, version, data),
        state=_state(fact) if fact and kind not in _BY_EVENT else None,
        by=fact.actor if fact else None,
        time=fact.time if fact else None,
    )


def _title(kind: str, name: str, version: str | None, data: dict[str, Any]) -> str:
    match kind:
        case "model" | "data" | "environment" | "component":
            return f"{name}:{version}"
        case "job":
            return str(data.get("display_name") or data.get("experiment") or name)
        case "commit":
            return f"{name[:12]} of {data['repository']}" if data.get("repository") else name[:12]
        case "code":
            dirty = ", with changes that were not committed" if data.get("dirty") else ""
            return f"code {name[:12]}{dirty}"
        case "lock":
            return f"environment lock {name[:12]}"
        case "files":
            return f"files {name[:12]}"
        case "package":
            return (
                f"ONNX of {data['name']}:{data['version']}" if "max_abs_difference" in data else f"package {name[:12]}"
            )
        case "drift":
            features = ", ".join(feature["feature"] for feature in data.get("features", ())[:3])
            return f"{data.get('signal', 'drift')} of {data.get('monitor', '?')}: {features or 'no feature named'}"
        case "deployment":
            return f"{name} ({data['model']})" if data.get("model") else name
        case "endpoint" if data.get("traffic"):
            return f"{name}: " + ", ".join(
                f"{part} {share} %" for part, share in sorted(data["traffic"].items()) if share
            )
        case _:
            return name


def _state(fact: Fact) -> str:
    verb = fact.type.partition(".")[2]
    match verb:
        case "archived":
            return "archived" if fact.data.get("archived", True) else "registered"
        case "traffic_changed":
            return "live" if any(fact.data["traffic"].values()) else "created"
        case "updated":
            return "enabled" if (fact.data.get("after") or {}).get("enabled", True) else "disabled"
        case _:
            return verb
