"""The lineage graph: grown from events, walked in both directions at any time, built anew from the log."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Any, Final, Literal

import asyncpg

from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import NotFoundError
from registry.domain.facts import Fact
from registry.domain.lineage import (
    FAN_OUT,
    MAX_NODES,
    SUCCESSORS,
    Direction,
    Edge,
    KeptEdge,
    Node,
    describe,
    edges_of,
    needs_edge,
    node_of,
    own,
    scope_of,
)
from registry.store import assets, lineage

log = logging.getLogger(__name__)

_CHUNK: Final = 1000
_AGAIN_S: Final = 5.0


async def begin(tx: Connection, workspace: str) -> None:
    """To be called before `extend`, for several workspaces in the order of their names."""
    await lineage.begin_writing(tx, workspace)


async def extend(tx: Connection, workspace: str, fact: Fact) -> None:
    """What an event adds to the graph. The log must have the event already; any order and any repetition gives the same graph."""
    found = edges_of(fact)
    await lineage.insert_lasting(tx, workspace, [(edge, fact) for edge in found if edge.lasting])
    if fact.type in SUCCESSORS:
        await lineage.lock_holder(tx, workspace, fact.subject)
        held = [edge for edge in found if not edge.lasting]
        await lineage.insert_held(tx, workspace, held, fact, SUCCESSORS[fact.type])


async def rebuild(pool: Pool, workspace: str) -> None:
    """Forget a workspace's graph and build it anew from the log, in one transaction: readers see the old one or the new one."""
    async with transaction(pool) as tx:
        await lineage.delete_edges(tx, workspace)
        waiting: dict[Edge, Fact] = {}
        async for fact in lineage.read_log(tx, workspace):
            if fact.type in SUCCESSORS:
                await extend(tx, workspace, fact)
                continue
            for edge in edges_of(fact):
                first = waiting.get(edge, fact)
                waiting[edge] = min(first, fact, key=lambda one: (one.time, one.event_id))
            if len(waiting) >= _CHUNK:
                await lineage.insert_lasting(tx, workspace, sorted(waiting.items(), key=lambda item: item[0]))
                waiting.clear()
        await lineage.insert_lasting(tx, workspace, sorted(waiting.items(), key=lambda item: item[0]))


async def build_missing(pool: Pool) -> None:
    """Build the graph of every workspace whose log was kept before there was one, however often it takes."""
    while True:
        try:
            async with transaction(pool) as tx:
                workspaces = await lineage.workspaces_without_edges(tx)
            for workspace in workspaces:
                await rebuild(pool, workspace)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("the lineage graph waits for the database", extra={"error": repr(error)})
            await asyncio.sleep(_AGAIN_S)
        else:
            return


async def trace(
    pool: Pool, workspace: str, named: str, *, direction: Direction, depth: int, at: datetime | None
) -> dict[str, Any]:
    """The part of the graph around a node as it was at `at` (None: now), `depth` edges far, at most MAX_NODES nodes.

    `named` as `node_of` reads it, and `model/NAME@LABEL`. `complete` is false where there is more: at the nodes that say `more`.
    Raises InvalidError, NotFoundError.
    """
    async with transaction(pool) as tx:
        start = await _resolve(tx, workspace, named)
        walk = _Walk(start)
        ways: tuple[Literal["up", "down"], ...] = ("up", "down") if direction == "both" else (direction,)
        for way in ways:
            await walk.go(tx, workspace, way, depth, at)
        if not walk.edges and not await lineage.is_known(tx, workspace, start):
            raise NotFoundError(f"nothing is known about {start}")
        nodes = await _describe(tx, workspace, walk, at)
    edges = sorted(walk.edges.values(), key=lambda edge: (edge.since, edge.source, edge.target))
    return {
        "node": start,
        "direction": direction,
        "depth": depth,
        "at": at,
        "nodes": nodes,
        "edges": [_fields(edge) | {"event": str(edge.event_id)} for edge in edges],
        "complete": not walk.more,
    }


def _fields(value: Node | KeptEdge) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


async def _resolve(tx: Connection, workspace: str, named: str) -> str:
    head, _, rest = named.partition("/")
    name, label_sign, label = rest.rpartition("@")
    if head in ("model", "data", "environment", "component") and label_sign:
        kind = head if head == "data" else f"{head}s"
        found = await assets.require_label(tx, workspace, kind, name, label)  # type: ignore[arg-type]  # one of AssetKind
        return f"{kind}/{found.name}/versions/{found.version}"
    return node_of(named)


class _Walk:
    """Breadth first, level by level, so that what is nearest comes first and circles end by themselves."""

    def __init__(self, start: str) -> None:
        self.start = start
        self.depths = {start: 0}
        self.edges: dict[tuple[str, str, str], KeptEdge] = {}
        self.more: set[str] = set()

    async def go(
        self, tx: Connection, workspace: str, way: Literal["up", "down"], depth: int, at: datetime | None
    ) -> None:
        """Follow one direction. A level beyond `depth` is looked at, to tell where there is more, and not followed."""
        up = way == "up"
        seen, level = {self.start}, [self.start]
        for distance in range(1, depth + 2):
            found = await lineage.neighbours(tx, workspace, level, at, FAN_OUT + 1, up=up)
            fan: dict[str, int] = {}
            following: list[str] = []
            for edge in found:
                near, far = (edge.target, edge.source) if up else (edge.source, edge.target)
                fan[near] = fan.get(near, 0) + 1
                fresh = far not in seen
                if fan[near] > FAN_OUT or (fresh and (distance > depth or self._full(far))):
                    self.more.add(near)
                    continue
                if fresh:
                    seen.add(far)
                    self.depths.setdefault(far, distance)
                    following.append(far)
                self._keep(edge)
            level = following
            if not level:
                return

    def _full(self, node: str) -> bool:
        return node not in self.depths and len(self.depths) >= MAX_NODES

    def _keep(self, edge: KeptEdge) -> None:
        key = (edge.source, edge.relation, edge.target)
        if key not in self.edges or edge.since < self.edges[key].since:
            self.edges[key] = edge


async def _describe(tx: Connection, workspace: str, walk: _Walk, at: datetime | None) -> list[dict[str, Any]]:
    states = await _states(tx, workspace, [node for node in walk.depths if not needs_edge(node)], at)
    telling: dict[str, KeptEdge] = {}
    for edge in walk.edges.values():
        for node in (edge.source, edge.target):
            # An edge into a thing is of the event that made it; one out of it only of whoever used it.
            if needs_edge(node) and (node not in telling or node == edge.target):
                telling[node] = edge
    facts = await lineage.facts_by_id(tx, workspace, [edge.event_id for edge in telling.values()])
    states |= {node: facts[edge.event_id] for node, edge in telling.items() if edge.event_id in facts}
    return [
        _fields(describe(node, states.get(node))) | {"depth": depth, "more": node in walk.more}
        for node, depth in walk.depths.items()
    ]


async def _states(tx: Connection, workspace: str, nodes: list[str], at: datetime | None) -> dict[str, Fact]:
    """What each node was; what is of a shared registry is open to every workspace, but for what it rests on."""
    found: dict[str, Fact] = {}
    for scope in sorted({scope_of(node, workspace) for node in nodes}):
        here = {node if scope == workspace else own(node): node for node in nodes if scope_of(node, workspace) == scope}
        states = await lineage.newest_states(tx, scope, list(here), at)
        found |= {here[subject]: fact for subject, fact in states.items()}
    return found
