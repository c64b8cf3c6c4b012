"""From the table of routes to HAProxy's files. A pure function: equal tables give equal files.

The rules of the public frontend are the same however many endpoints there are; what differs stands in map files,
which HAProxy looks up in a tree:

    endpoints.map    endpoint                → its base: a number, 10,000 apart
    shares.map       base … base + 9,999     → deployment that takes this slot of the endpoint's traffic
    deployments.map  endpoint/deployment     → backend
    fallback.map     backend                 → another deployment of the endpoint that takes traffic
    bodies.map       endpoint                → largest body in bytes
    keys.map         endpoint/sha256 of key  → 1

A request draws `base + rand(10000)` and so finds its deployment: the split is exact to 0.01 %, and no rule is
evaluated per endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge.domain.routes import Endpoint, Replica, RouteTable, deployments, shares

_SLOTS: Final = 10_000
_MARGIN_MS: Final = 2_000  # the replica's own time limit answers first, with a reason


@dataclass(frozen=True, slots=True)
class Front:
    """Where HAProxy listens, and what is the same for every table. `run` is a short folder of sockets, `files` has the
    rendered files. `connections` is the most clients at a time; each may need two file descriptors."""

    host: str
    port: int
    gateway: str
    run: Path
    files: Path
    threads: int
    connections: int


def render(table: RouteTable, front: Front) -> dict[str, str]:
    """The files by name; `haproxy.cfg` is the configuration, the others are those it names."""
    return {"haproxy.cfg": _configuration(table, front), **_maps(table), **_error_files()}


def backend(endpoint: str, deployment: str) -> str:
    """The backend's name; neither part can contain a colon."""
    return f"{endpoint}:{deployment}"


def _maps(table: RouteTable) -> dict[str, str]:
    endpoints, slots, names, fallback, bodies, keys = [], [], [], [], [], []
    for number, (name, endpoint) in enumerate(sorted(table.endpoints.items())):
        base = number * _SLOTS
        endpoints.append(f"{name} {base}")
        bodies.append(f"{name} {endpoint.max_body_bytes}")
        keys += [f"{name}/{key} 1" for key in sorted(set(endpoint.keys))]
        names += [f"{name}/{deployment} {backend(name, deployment)}" for deployment in deployments(endpoint)]
        split = shares(endpoint)
        for deployment, share in split:
            slots.append(f"{base}:{base + share - 1} {backend(name, deployment)}")
            base += share
        by_size = sorted(split, key=lambda entry: -entry[1])
        for deployment, _ in split:
            other = next((candidate for candidate, _ in by_size if candidate != deployment), None)
            if other is not None:
                fallback.append(f"{backend(name, deployment)} {backend(name, other)}")
    rendered = {
        "endpoints": endpoints,
        "shares": slots,
        "deployments": names,
        "fallback": fallback,
        "bodies": bodies,
        "keys": keys,
    }
    return {f"{name}.map": "".join(f"{line}\n" for line in lines) for name, lines in rendered.items()}


def _configuration(table: RouteTable, front: Front) -> str:
    gateway = urlsplit(front.gateway)
    parts = [_HEAD.format(front=front, gateway=gateway.hostname, gateway_port=gateway.port or 80, **_problems())]
    for name, endpoint in sorted(table.endpoints.items()):
        parts += [_backend(endpoint, deployment, table.of(name, deployment)) for deployment in deployments(endpoint)]
    return "\n".join(parts)


def _backend(endpoint: Endpoint, deployment: str, replicas: list[tuple[str, Replica]]) -> str:
    lines = [
        f"backend {backend(endpoint.name, deployment)}",
        "    balance leastconn",
        f"    timeout server {endpoint.timeout_ms + _MARGIN_MS}ms",
        "    option httpchk GET /v2/health/ready",
        "    http-check expect status 200",
        # Another replica is tried only when the connection was refused: the request cannot have reached a model then.
        "    retries 3",
        "    option redispatch 1",
        "    retry-on conn-failure",
        "    http-reuse always",
        "    default-server check inter 1s fastinter 250ms downinter 500ms fall 2 rise 1 maxconn 1024 pool-purge-delay 30s",
    ]
    for replica_id, replica in replicas:
        host = f"[{replica.host}]" if ":" in replica.host else replica.host
        lines.append(f"    server {replica_id} {host}:{replica.port}")
    return "\n".join(lines) + "\n"


_DETAILS: Final[dict[str, tuple[int, str, str]]] = {
    "p401": (401, "unauthenticated", "this endpoint wants Authorization: Bearer <one of its keys>"),
    "p404_endpoint": (404, "unknown_endpoint", "there is no endpoint %[var(txn.endpoint),json(utf8s)]"),
    "p404_deployment": (
        404,
        "unknown_deployment",
        "endpoint %[var(txn.endpoint),json(utf8s)] has no deployment %[var(txn.pin),json(utf8s)]",
    ),
    "p404_path": (404, "not_found", "an endpoint has the routes /score and /v2/…"),
    "p413": (413, "too_large", "the body may have at most %[var(txn.max_body)] bytes"),
    "p503": (503, "unavailable", "endpoint %[var(txn.endpoint),json(utf8s)] has no live replica"),
    "p503_traffic": (503, "no_traffic", "endpoint %[var(txn.endpoint),json(utf8s)] gives no deployment any traffic"),
}


def _document(status: int, code: str, detail: str) -> str:
    title = code.replace("_", " ").capitalize()
    return f'{{"type":"urn:modelyard:problem:{code}","title":"{title}","status":{status},"detail":"{detail}","code":"{code}"}}'


def _problems() -> dict[str, str]:
    """Each refusal's `http-request return` arguments."""
    rendered = {}
    for name, (status, code, detail) in _DETAILS.items():
        extra = ' hdr www-authenticate "Bearer"' if status == HTTPStatus.UNAUTHORIZED else ""
        quoted = _document(status, code, detail).replace('"', '\\"')
        kind = "application/problem+json"
        rendered[name] = (
            f'status {status} content-type {kind} hdr x-request-id "%[var(txn.id)]"{extra} lf-string "{quoted}"'
        )
    return rendered


def _error_files() -> dict[str, str]:
    """Raw answers for what HAProxy itself has to refuse."""
    details = {
        400: ("bad_request", "the request is not valid HTTP, or its header is too large"),
        408: ("request_timeout", "the request did not arrive in time"),
        500: ("internal", "the edge failed"),
        502: ("bad_gateway", "the server behind this path ended before it had answered"),
        503: ("unavailable", "what answers this path does not run now"),
        504: ("timeout", "no answer in time"),
    }
    files = {}
    for status, (code, detail) in details.items():
        body = _document(status, code, detail)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/problem+json\r\ncache-control: no-cache\r\n"
        files[f"{status}.http"] = f"{head}content-length: {len(body.encode())}\r\nconnection: close\r\n\r\n{body}"
    return files


_HEAD: Final = """\
# Rendered by the edge's agent from the table of routes: changes made here are lost.
global
    maxconn {front.connections}
    nbthread {front.threads}
    stats socket unix@{front.run}/stats.sock mode 600 level admin
    hard-stop-after 60s
    tune.bufsize 16384
    tune.maxrewrite 1024

defaults
    mode http
    errorfile 400 {front.files}/400.http
    errorfile 408 {front.files}/408.http
    errorfile 500 {front.files}/500.http
    errorfile 502 {front.files}/502.http
    errorfile 503 {front.files}/503.http
    errorfile 504 {front.files}/504.http
    option http-no-delay
    # A reload does not close connections that wait for their next request: it is answered first.
    option idle-close-on-response
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout http-request 10s
    timeout http-keep-alive 75s
    timeout queue 5s
    timeout check 2s

frontend metrics
    bind unix@{front.run}/metrics.sock mode 600
    http-request use-service prometheus-exporter

frontend public
    bind {front.host}:{front.port} name public
    http-request set-var(txn.id) req.hdr(x-request-id) if {{ req.hdr(x-request-id) -m reg ^[A-Za-z0-9._:/+=-]{{1,128}}$ }}
    http-request set-var(txn.id) uuid() unless {{ var(txn.id) -m found }}
    http-request set-header x-request-id %[var(txn.id)]
    http-request allow unless {{ path_beg /endpoints/ }}

    # Which endpoint, and may this client?
    http-request set-var(txn.endpoint) path,field(3,/)
    http-request set-var(txn.base) var(txn.endpoint),map_str_int({front.files}/endpoints.map)
    http-request return {p404_endpoint} unless {{ var(txn.base) -m found }}
    http-request set-var(txn.hash) req.hdr(authorization),word(2,' '),sha2(256),hex,lower
    http-request set-var-fmt(txn.key) %[var(txn.endpoint)]/%[var(txn.hash)]
    acl bearer req.hdr(authorization) -m beg -i "Bearer "
    acl known_key var(txn.key),map_str({front.files}/keys.map) -m found
    http-request return {p401} unless bearer known_key
    http-request del-header authorization

    # Only what a client may see of a replica, and no more bytes than it takes.
    http-request replace-path /endpoints/[^/]*(/.*)? \\1
    http-request return {p404_path} unless {{ path /score }} or {{ path /v2 }} or {{ path_beg /v2/ }}
    http-request set-var(txn.max_body) var(txn.endpoint),map_str_int({front.files}/bodies.map)
    http-request return {p413} if {{ req.hdr_val(content-length),sub(txn.max_body) gt 0 }}

    # Which deployment: the one the client names, or the one that has the slot it draws.
    http-request set-var(txn.pin) req.hdr(modelyard-deployment)
    http-request set-var(txn.pin) req.hdr(azureml-model-deployment) if {{ req.hdr(azureml-model-deployment) -m found }}
    http-request set-var-fmt(txn.pinned) %[var(txn.endpoint)]/%[var(txn.pin)] if {{ var(txn.pin) -m len gt 0 }}
    http-request set-var(txn.backend) var(txn.pinned),map_str({front.files}/deployments.map)
    http-request return {p404_deployment} if {{ var(txn.pinned) -m found }} !{{ var(txn.backend) -m found }}
    http-request set-var(txn.backend) rand(10000),add(txn.base),map_int({front.files}/shares.map) unless {{ var(txn.pinned) -m found }}
    http-request return {p503_traffic} unless {{ var(txn.backend) -m found }}

    # A deployment without a live replica does not fail its share of the requests while another one can answer them.
    acl dead var(txn.backend),nbsrv lt 1
    acl pinned var(txn.pinned) -m found
    http-request set-var(txn.other) var(txn.backend),map_str({front.files}/fallback.map) if dead !pinned
    http-request set-var(txn.backend) var(txn.other) if {{ var(txn.other) -m found }}
    http-request return {p503} if dead
    use_backend %[var(txn.backend)] if {{ var(txn.backend) -m found }}
    default_backend gateway

backend gateway
    # Events are streamed to pages for hours: what is idle is not dead.
    timeout server 1h
    timeout tunnel 1h
    option forwardfor
    server gateway {gateway}:{gateway_port}
"""
