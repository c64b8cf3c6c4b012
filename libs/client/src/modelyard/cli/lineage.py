"""`modelyard lineage …` and `modelyard audit …`: what things rest on, and who changed what."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import Groups
from modelyard.cli.output import short_time

if TYPE_CHECKING:
    from modelyard.client import Client

_AUDIT: Final = ("time", "actor", "type", "subject", "reason", "before", "after")
_DEEPEST: Final = 20
_SECTIONS: Final = {"up": "rests on", "down": "what rests on it"}


def register(groups: Groups) -> None:
    """Add the two commands."""
    command = flags.Group("lineage", groups).verb(
        "lineage", lineage, draw=drawn, example="lineage model/flight-delay:3 --direction both --at 2026-05-01T10:00Z"
    )
    command.add_argument(
        "node", metavar="NODE", help="model/NAME:VERSION, endpoint/NAME, job/NAME, data/NAME:VERSION, commits/SHA …"
    )
    command.add_argument(
        "--direction",
        choices=("up", "down", "both"),
        default="up",
        help="up: what it rests on; down: what rests on it (default: %(default)s)",
    )
    command.add_argument("--depth", type=flags.count, default=_DEEPEST, help="so many steps (default: %(default)s)")
    command.add_argument("--at", metavar="TIME", help="as it was then, such as 2026-05-01T10:00Z")

    command = flags.Group("audit", groups).verb(
        "audit", audit, columns=_AUDIT, example="audit --actor user:ada --after 2026-11-01T00:00Z -o table"
    )
    command.add_argument("--subject", help="the beginning of it, such as endpoints/flights")
    command.add_argument("--actor", help="such as user:ada")
    command.add_argument("--type", help="such as token.revoked or 'deployment.*'")
    command.add_argument("--after", metavar="TIME")
    command.add_argument("--before", metavar="TIME")
    flags.bounded(command)


def lineage(client: Client, options: argparse.Namespace) -> Any:
    """What a thing rests on: commit, code, job, data, environment, model, package, deployment, endpoint, drift … as a tree."""
    return client.lineage(options.node, direction=options.direction, depth=options.depth, at=options.at)


def audit(client: Client, options: argparse.Namespace) -> Any:
    """Every change, newest first: by whom, why, from what to what."""
    return client.audit(
        subject=options.subject,
        actor=options.actor,
        type=options.type,
        after=options.after,
        before=options.before,
        limit=options.max_results,
    )


def drawn(found: dict[str, Any]) -> str:
    """The graph as a tree. What has been drawn with all below it is only named where it comes again."""
    nodes = {node["id"]: node for node in found["nodes"]}
    ways = ["up", "down"] if found["direction"] == "both" else [found["direction"]]
    lines = [_said(nodes[found["node"]])]
    for way in ways:
        if len(ways) > 1:
            lines.append(f"{_SECTIONS[way]}:")
        lines += _branches(found, nodes, way, found["node"], "", {found["node"]})
    if not found["complete"]:
        lines.append("… there is more: a greater --depth, or a node further on, shows it")
    return "\n".join(lines)


def _branches(
    found: dict[str, Any], nodes: dict[str, Any], way: str, node: str, margin: str, drawn_before: set[str]
) -> Iterator[str]:
    here, there = ("target", "source") if way == "up" else ("source", "target")
    edges = [edge for edge in found["edges"] if edge[here] == node and edge[there] in nodes]
    for index, edge in enumerate(edges, 1):
        last = index == len(edges)
        other = edge[there]
        again = other in drawn_before and any(one[here] == other for one in found["edges"])
        ended = f" until {short_time(edge['until'])}" if edge["until"] else ""
        yield f"{margin}{'└─' if last else '├─'} {edge['relation']}{ended}: {_said(nodes[other])}{' (see above)' if again else ''}"
        if other not in drawn_before:
            drawn_before.add(other)
            yield from _branches(found, nodes, way, other, margin + ("   " if last else "│  "), drawn_before)


def _said(node: dict[str, Any]) -> str:
    """A node in one line."""
    more = [str(node[key]) for key in ("state", "by") if node.get(key)]
    more += [short_time(node["time"])] if node.get("time") else []
    return (
        f"{node['title'] or node['id']}" + (f"  ({', '.join(more)})" if more else "") + (" …" if node["more"] else "")
    )
