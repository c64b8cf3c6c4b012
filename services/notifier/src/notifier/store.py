"""All SQL of the notifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from modelyard_platform.cause import Cause
from modelyard_platform.database import Connection
from notifier.domain.deliveries import Attempt, Delivery
from notifier.domain.subscriptions import NewSubscription, Subscription
from notifier.errors import DeliveryNotFoundError, SubscriptionNotFoundError

CHANNEL: Final = "modelyard_deliveries"
"""PostgreSQL notification that wakes the senders: a delivery has become due."""

_PUT: Final = """
insert into subscriptions (workspace, name, type, url, secret, events, subjects, format, description, enabled, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (workspace, name) do update set type = excluded.type, url = excluded.url, secret = excluded.secret,
    events = excluded.events, subjects = excluded.subjects, format = excluded.format,
    description = excluded.description, enabled = excluded.enabled, disabled_reason = null, updated_at = now()
returning *
"""
_GET: Final = "select * from subscriptions where workspace = $1 and name = $2"
_LIST: Final = "select * from subscriptions where workspace = $1 and name > $2 order by name limit $3"
_ENABLED: Final = "select * from subscriptions where workspace = $1 and enabled order by name"
_NAMES: Final = "select name from subscriptions where workspace = $1 order by name limit 20"
_DELETE: Final = "delete from subscriptions where workspace = $1 and name = $2 returning name"
_DISABLE: Final = """
update subscriptions set enabled = false, disabled_reason = $3, updated_at = now() where workspace = $1 and name = $2
"""

_INSERT: Final = """
insert into deliveries (id, workspace, subscription, event_id, event_type, event_subject, envelope, cause)
values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (workspace, subscription, event_id) do nothing returning id
"""
_WAKE: Final = "select pg_notify('modelyard_deliveries', '')"
# Each receiver has its own bound, counted over all processes by their leases: one that hangs holds up nobody else.
_CLAIM: Final = """
update deliveries set leased_until = now() + make_interval(secs => $3), attempts = attempts + 1
where id in (
    select due.id from subscriptions s cross join lateral (
        select id from deliveries d
        where d.workspace = s.workspace and d.subscription = s.name and d.status = 'pending'
            and d.next_attempt_at <= now() and d.leased_until <= now()
        order by d.next_attempt_at
        limit greatest(0, $2 - (
            select count(*) from deliveries b
            where b.workspace = s.workspace and b.subscription = s.name and b.status = 'pending' and b.leased_until > now()
        ))
        for update skip locked
    ) due where s.enabled limit $1
)
returning *
"""
_OF_ATTEMPTS: Final = """
select s.* from subscriptions s join unnest($1::text[], $2::text[]) as wanted (workspace, name) using (workspace, name)
"""
_DELIVERED: Final = """
update deliveries set status = 'delivered', detail = null, finished_at = now(), leased_until = '-infinity'
where id = $1 and attempts = $2 and status = 'pending' returning id
"""
_DEAD: Final = """
update deliveries set status = 'dead', detail = $3, finished_at = now(), leased_until = '-infinity'
where id = $1 and attempts = $2 and status = 'pending' returning id
"""
_AGAIN: Final = """
update deliveries set detail = $3, next_attempt_at = now() + make_interval(secs => $4), leased_until = '-infinity'
where id = $1 and attempts = $2 and status = 'pending'
"""
_REPLAY: Final = """
update deliveries set status = 'pending', attempts = 0, next_attempt_at = now(), leased_until = '-infinity', finished_at = null
where id = $1 returning *
"""
_GET_DELIVERY: Final = "select * from deliveries where workspace = $1 and id = $2 for update"
_DELIVERIES: Final = """
select * from deliveries
where workspace = $1 and subscription = $2 and position < $3 and ($4::text is null or status = $4)
order by position desc limit $5
"""
_PRUNE: Final = "delete from deliveries where status <> 'pending' and finished_at < now() - interval '30 days'"


def _subscription(row: asyncpg.Record) -> Subscription:
    fields = dict(row)
    return Subscription(**(fields | {"events": tuple(fields["events"]), "subjects": tuple(fields["subjects"])}))


def _delivery(row: asyncpg.Record) -> Delivery:
    return Delivery(**{name: row[name] for name in Delivery.__dataclass_fields__})


async def put_subscription(tx: Connection, workspace: str, actor: str, new: NewSubscription) -> Subscription:
    """Make it, or put it in the place of the one of that name."""
    row = await tx.fetchrow(
        _PUT, workspace, new.name, new.type, new.url, new.secret, list(new.events), list(new.subjects), new.format,
        new.description, new.enabled, actor,
    )  # fmt: skip
    assert row is not None
    return _subscription(row)


async def get_subscription(tx: Connection, workspace: str, name: str) -> Subscription | None:
    row = await tx.fetchrow(_GET, workspace, name)
    return None if row is None else _subscription(row)


async def require_subscription(tx: Connection, workspace: str, name: str) -> Subscription:
    """Raises SubscriptionNotFoundError."""
    found = await get_subscription(tx, workspace, name)
    if found is None:
        raise SubscriptionNotFoundError(name, [row["name"] for row in await tx.fetch(_NAMES, workspace)])
    return found


async def list_subscriptions(tx: Connection, workspace: str, after: str, limit: int) -> list[Subscription]:
    return [_subscription(row) for row in await tx.fetch(_LIST, workspace, after, limit)]


async def list_enabled(tx: Connection, workspace: str) -> list[Subscription]:
    """In the order of their names: whoever writes to several takes their locks in this order."""
    return [_subscription(row) for row in await tx.fetch(_ENABLED, workspace)]


async def delete_subscription(tx: Connection, workspace: str, name: str) -> bool:
    """With all of its deliveries."""
    return await tx.fetchval(_DELETE, workspace, name) is not None


async def disable_subscription(tx: Connection, workspace: str, name: str, reason: str) -> None:
    await tx.execute(_DISABLE, workspace, name, reason)


async def insert_delivery(
    tx: Connection, to: Subscription, event_id: UUID, event_type: str, event_subject: str, envelope: str, cause: Cause
) -> UUID | None:
    """The new delivery's id; None when this event is on its way there already."""
    id_: UUID | None = await tx.fetchval(
        _INSERT, uuid4(), to.workspace, to.name, event_id, event_type, event_subject, envelope, asdict(cause)
    )
    return id_


async def wake_senders(tx: Connection) -> None:
    """Tell those that listen, when this transaction commits."""
    await tx.execute(_WAKE)


async def claim_attempts(tx: Connection, *, limit: int, per_subscription: int, lease_s: float) -> list[Attempt]:
    """Due deliveries, at most `per_subscription` at a time to each receiver, for `lease_s` seconds."""
    rows = await tx.fetch(_CLAIM, limit, per_subscription, lease_s)
    keys = {(row["workspace"], row["subscription"]) for row in rows}
    found = await tx.fetch(_OF_ATTEMPTS, [workspace for workspace, _ in keys], [name for _, name in keys])
    to = {(row["workspace"], row["name"]): _subscription(row) for row in found}
    return [
        Attempt(
            delivery=_delivery(row),
            subscription=to[row["workspace"], row["subscription"]],
            envelope=row["envelope"],
            cause=Cause(**row["cause"]),
        )
        for row in rows
    ]


async def mark_delivered(tx: Connection, attempt: Attempt) -> bool:
    """False when the delivery is no longer this attempt's: its lease ran out, or its subscription is gone."""
    return await tx.fetchval(_DELIVERED, attempt.delivery.id, attempt.delivery.attempts) is not None


async def mark_dead(tx: Connection, attempt: Attempt, detail: str) -> bool:
    """False as in `mark_delivered`."""
    return await tx.fetchval(_DEAD, attempt.delivery.id, attempt.delivery.attempts, detail) is not None


async def mark_due_again(tx: Connection, attempt: Attempt, detail: str, delay_s: float) -> None:
    await tx.execute(_AGAIN, attempt.delivery.id, attempt.delivery.attempts, detail, delay_s)


async def require_delivery(tx: Connection, workspace: str, id_: str) -> Delivery:
    """Locked until the transaction ends. Raises DeliveryNotFoundError."""
    try:
        row = await tx.fetchrow(_GET_DELIVERY, workspace, UUID(id_))
    except ValueError:
        row = None
    if row is None:
        raise DeliveryNotFoundError(id_[:80])
    return _delivery(row)


async def mark_replayed(tx: Connection, delivery: Delivery) -> Delivery:
    """Due now, with all of its attempts again."""
    row = await tx.fetchrow(_REPLAY, delivery.id)
    assert row is not None
    return _delivery(row)


async def list_deliveries(
    tx: Connection, workspace: str, subscription: str, *, before: int, status: str | None, limit: int
) -> Sequence[Delivery]:
    """Newest first."""
    return [_delivery(row) for row in await tx.fetch(_DELIVERIES, workspace, subscription, before, status, limit)]


async def prune_deliveries(tx: Connection) -> Any:
    """Forget what was finished 30 days ago, as the outbox does."""
    return await tx.execute(_PRUNE)
