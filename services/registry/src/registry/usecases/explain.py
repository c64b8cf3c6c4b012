"""Why is this live? The chain of events, walked from what is to what it rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import NotFoundError
from registry.domain.facts import Fact, Link, links_of, start_subject
from registry.domain.lineage import own, scope_of
from registry.store import facts

MAX_FACTS: Final = 200
_NOISE: Final = frozenset(
    {"step.started", "step.completed", "step.reused", "job.started", "data.profiled", "environment.built"}
)
"""Facts that lie on the way but explain nothing: they are stepped over."""


async def explain(pool: Pool, workspace: str, entity: str, name: str) -> dict[str, Any]:
    """The facts that made `entity` what it is now, oldest first, each with the ids of those it rests on (`because`).

    Raises NotFoundError when nothing has happened to it.
    """
    subject, types = start_subject(entity, name)
    async with transaction(pool) as tx:
        start = await _start(tx, workspace, subject, types)
        found: dict[UUID, Fact] = {}
        because: dict[UUID, list[UUID]] = {}
        waiting = [(scope_of(subject, workspace), start)]
        while waiting and len(found) < MAX_FACTS:
            scope, fact = waiting.pop()
            if fact.event_id in found:
                continue
            found[fact.event_id] = fact if scope == workspace else replace(fact, subject=f"{scope}/{fact.subject}")
            grounds = await _grounds(tx, scope, fact)
            because[fact.event_id] = [ground.event_id for _, ground in grounds]
            waiting += grounds
    chain = sorted(found.values(), key=lambda fact: (fact.time, fact.sequence))
    return {
        "subject": subject,
        "chain": [
            {
                "id": str(fact.event_id),
                "type": fact.type,
                "subject": fact.subject,
                "time": fact.time.isoformat(),
                "actor": fact.actor,
                "reason": fact.reason,
                "data": fact.data,
                "because": [str(ground) for ground in because[fact.event_id]],
            }
            for fact in chain
        ],
    }


async def _start(tx: Connection, workspace: str, subject: str, types: tuple[str, ...]) -> Fact:
    for type_ in types:
        if (fact := await _newest(tx, workspace, Link(type_, subject), datetime.now(UTC))) is not None:
            return fact
    raise NotFoundError(f"nothing is known about {subject}")


async def _newest(tx: Connection, scope: str, link: Link, until: datetime) -> Fact | None:
    there = scope_of(link.subject, scope)
    return await facts.newest_fact(
        tx, there, link if there == scope else replace(link, subject=own(link.subject)), until
    )


async def _grounds(tx: Connection, scope: str, fact: Fact) -> list[tuple[str, Fact]]:
    """What a fact of this scope rests on, each with its scope: a workspace sees into shared registries, and these into none."""
    grounds = []
    if fact.causation_id is not None:
        cause = await _cause(tx, scope, fact.causation_id)
        if cause is not None:
            grounds.append((scope, cause))
    for link in links_of(fact):
        ground = await _newest(tx, scope, link, fact.time)
        if ground is not None and all(ground != other for _, other in grounds):
            grounds.append((scope_of(link.subject, scope), ground))
    return grounds


async def _cause(tx: Connection, workspace: str, causation_id: str) -> Fact | None:
    """The causing event, or the nearest one before it that explains something."""
    for _ in range(MAX_FACTS):
        try:
            fact = await facts.get_fact(tx, workspace, UUID(causation_id))
        except ValueError:
            return None
        if fact is None or fact.type not in _NOISE or fact.causation_id is None:
            return fact
        causation_id = fact.causation_id
    return None
