"""Triggers: kept, matched with events, and fired, each once for an event."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from modelyard_contracts import Event, short_type
from modelyard_contracts.scheduler import ScheduleFired, ScheduleMissed, TriggerDeleted, TriggerUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause, cause_of_event
from modelyard_platform.changes import masked
from modelyard_platform.database import Connection, Pool, transaction
from modelyard_platform.errors import InvalidError, PlatformError, message_fate
from modelyard_platform.specs import spec_error
from modelyard_specs import SpecError, load_mapping, require_submittable
from modelyard_specs.kinds.automation import Trigger
from scheduler.clients.neighbours import Registry
from scheduler.domain import triggers as domain
from scheduler.errors import TriggerNotFoundError
from scheduler.store import jobs, triggers
from scheduler.store.triggers import Firing, TriggerRow
from scheduler.usecases import SOURCE
from scheduler.usecases.preparing import delay_s
from scheduler.usecases.submitting import Submission, insert_job, prepare_job

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 20


def _read(spec: dict[str, Any]) -> tuple[Trigger, dict[str, Any]]:
    try:
        document = load_mapping(spec, group="trigger")
        require_submittable(document)
    except SpecError as error:
        raise spec_error(error) from error
    assert isinstance(document.model, Trigger)
    return document.model, document.spec()


async def put_trigger(pool: Pool, cause: Cause, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Make or change a trigger. Raises InvalidError, also when the specification says another name."""
    model, plain = _read(spec)
    if model.name != name:
        raise InvalidError(f"the specification's name is {model.name!r}, the address says {name!r}", path="name")
    async with transaction(pool) as tx:
        before = await triggers.get_trigger(tx, cause.workspace, name)
        row = await triggers.put_trigger(
            tx, cause.workspace, cause.actor, name=name, spec=plain, event_type=model.on.type, enabled=model.enabled
        )
        if before is None or before.spec != row.spec:
            change = TriggerUpdated(trigger=name, before=masked(before.spec) if before else None, after=masked(plain))
            await outbox.add(tx, SOURCE, change, cause)
        return _document(row)


async def get_trigger(pool: Pool, workspace: str, name: str) -> dict[str, Any]:
    """A trigger with its last firings. Raises TriggerNotFoundError."""
    async with transaction(pool) as tx:
        row = await triggers.require_trigger(tx, workspace, name)
        firings = await triggers.list_last_firings(tx, workspace, name)
    return _document(row) | {
        "firings": [
            {
                "event": str(one["event_id"]),
                "status": one["status"],
                "job": one["job"],
                "detail": one["detail"],
                "at": one["created_at"].isoformat(),
            }
            for one in firings
        ]
    }


async def list_triggers(
    pool: Pool, workspace: str, *, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of triggers by name, and the cursor of the next page."""
    async with transaction(pool) as tx:
        found = await triggers.list_triggers(tx, workspace, after=after, limit=limit + 1)
    return [_document(row) for row in found[:limit]], found[limit - 1].name if len(found) > limit else None


async def delete_trigger(pool: Pool, cause: Cause, name: str) -> None:
    """Raises TriggerNotFoundError."""
    async with transaction(pool) as tx:
        before = await triggers.require_trigger(tx, cause.workspace, name)
        if await triggers.delete_trigger(tx, cause.workspace, name):
            await outbox.add(tx, SOURCE, TriggerDeleted(trigger=name, before=masked(before.spec)), cause)


def _document(row: TriggerRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "enabled": row.enabled,
        "event_type": row.event_type,
        "spec": row.spec,
        "last_fired_at": row.last_fired_at.isoformat() if row.last_fired_at else None,
        "created_by": row.created_by,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }


async def on_events(tx: Connection, events: Sequence[Event[Any]]) -> None:
    """Write a firing for every trigger that an event fires; a worker submits the jobs."""
    heard = await triggers.heard(tx, {(event.workspace, short_type(event.type)) for event in events})
    for event in events:
        if (event.workspace, short_type(event.type)) in heard:
            await _fire(tx, event)


async def _fire(tx: Connection, event: Event[Any]) -> None:
    for row in await triggers.lock_matching(tx, event.workspace, short_type(event.type), event.time):
        try:
            model, _ = _read(row.spec)
        except InvalidError as error:  # kept by an older version that allowed it
            await _missed(tx, row.name, event, error.detail)
            continue
        decision = domain.decide(model, event, now=datetime.now(UTC), last_fired_at=row.last_fired_at)
        if isinstance(decision, domain.Passes):
            log.info("a trigger passes", extra={"trigger": row.name, "event": str(event.id), "reason": decision.reason})
        elif await triggers.count_firings(tx, row, event.correlationid) >= domain.MAX_FIRINGS_PER_STORY:
            detail = f"fired {domain.MAX_FIRINGS_PER_STORY} times in one chain of events already: does it cause its own event?"
            await _missed(tx, row.name, event, detail)
        elif await triggers.insert_firing(tx, row, event):
            await jobs.ring(tx, "firings")


async def fire_next(pool: Pool, registry: Registry) -> bool:
    """Submit the job of one firing; False when none waits."""
    async with transaction(pool) as tx:
        firing = await triggers.claim_firing(tx)
        if firing is None:
            return False
        row = await triggers.get_trigger(tx, firing.workspace, firing.trigger)
    try:
        if row is None:
            raise TriggerNotFoundError(firing.trigger)
        spec = domain.job_spec(row.spec, domain.document_of(firing.event))
        submission = Submission(spec=spec, trigger=row.name)
        new = await prepare_job(pool, registry, firing.workspace, submission)
    except ValueError as error:
        await _give_up(pool, firing, str(error))
        return True
    except PlatformError as error:
        # What the job names may still be on its way (registered by a job that is ending): not found is tried again, for a while.
        if row is not None and message_fate(error.kind) == "retry" and firing.attempts < _limit(error):
            async with transaction(pool) as tx:
                await triggers.release_firing(tx, firing, delay_s(firing.attempts), error.detail)
        else:
            await _give_up(pool, firing, error.detail)
        return True
    cause = cause_of_event(SOURCE, firing.event)
    async with transaction(pool) as tx:
        if await triggers.mark_submitted(tx, firing, new.name):
            await insert_job(tx, cause, new)
            fired = ScheduleFired(
                schedule=firing.trigger, job=new.name, event=str(firing.event.id),
                event_type=short_type(firing.event.type), event_subject=firing.event.subject,
            )  # fmt: skip
            await outbox.add(tx, SOURCE, fired, cause)
    return True


def _limit(error: PlatformError) -> int:
    return MAX_ATTEMPTS if error.kind == "unavailable" else 5


async def _give_up(pool: Pool, firing: Firing, detail: str) -> None:
    async with transaction(pool) as tx:
        if await triggers.mark_missed(tx, firing, detail):
            await _missed(tx, firing.trigger, firing.event, detail)


async def _missed(tx: Connection, name: str, event: Event[Any], detail: str) -> None:
    log.warning("a trigger has submitted nothing", extra={"trigger": name, "event": str(event.id), "detail": detail})
    missed = ScheduleMissed(schedule=name, detail=detail, event=str(event.id))
    await outbox.add(tx, SOURCE, missed, cause_of_event(SOURCE, event))
