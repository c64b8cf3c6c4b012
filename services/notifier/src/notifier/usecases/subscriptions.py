"""Making, changing and showing subscriptions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from modelyard_contracts.notifier import SubscriptionDeleted, SubscriptionUpdated
from modelyard_platform import outbox
from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from notifier import store
from notifier.domain.signing import key_of
from notifier.domain.subscriptions import MASK, Subscription, read_spec, shown_url, unmasked
from notifier.usecases import SOURCE

_NOT_ASKED: Final = frozenset({"name", "created_by", "created_at", "updated_at"})


def document(found: Subscription) -> dict[str, Any]:
    """A subscription as the API answers it: nothing in it gives access."""
    return {
        "name": found.name,
        "type": found.type,
        "url": shown_url(found.type, found.url),
        "secret": MASK if found.secret is not None else None,
        "events": list(found.events),
        "subjects": list(found.subjects),
        "format": found.format,
        "description": found.description,
        "enabled": found.enabled,
        "disabled_reason": found.disabled_reason,
        "created_by": found.created_by,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }


async def put_subscription(pool: Pool, cause: Cause, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Make a subscription or change it; one that was switched off is on again unless the specification says otherwise.

    Raises SubscriptionInvalidError.
    """
    new = read_spec(name, spec)
    async with transaction(pool) as tx:
        before = await store.get_subscription(tx, cause.workspace, name)
        new = unmasked(new, before)
        if new.secret is not None:
            key_of(new.secret)
        found = await store.put_subscription(tx, cause.workspace, cause.actor, new)
        if before is None or replace(found, updated_at=before.updated_at) != before:
            change = SubscriptionUpdated(subscription=name, before=_shown(before), after=_shown(found))
            await outbox.add(tx, SOURCE, change, cause)
        await store.wake_senders(tx)
        return document(found)


def _shown(found: Subscription | None) -> dict[str, Any] | None:
    """What the event of a change says of it: what was asked for, without what gives access."""
    if found is None:
        return None
    return {key: value for key, value in document(found).items() if key not in _NOT_ASKED}


async def get_subscription(pool: Pool, workspace: str, name: str) -> dict[str, Any]:
    """Raises SubscriptionNotFoundError."""
    async with transaction(pool) as tx:
        return document(await store.require_subscription(tx, workspace, name))


async def list_subscriptions(
    pool: Pool, workspace: str, *, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """A page by name, and the cursor of the next."""
    async with transaction(pool) as tx:
        found = await store.list_subscriptions(tx, workspace, after, limit + 1)
    page = found[:limit]
    return [document(one) for one in page], page[-1].name if len(found) > limit else None


async def delete_subscription(pool: Pool, cause: Cause, name: str) -> None:
    """Its deliveries go with it. Raises SubscriptionNotFoundError."""
    async with transaction(pool) as tx:
        before = await store.require_subscription(tx, cause.workspace, name)
        if await store.delete_subscription(tx, cause.workspace, name):
            await outbox.add(tx, SOURCE, SubscriptionDeleted(subscription=name, before=_shown(before)), cause)
