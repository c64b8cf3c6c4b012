"""Making, changing and showing subscriptions."""

from __future__ import annotations

from typing import Any

from modelyard_platform.cause import Cause
from modelyard_platform.database import Pool, transaction
from notifier import store
from notifier.domain.signing import key_of
from notifier.domain.subscriptions import MASK, Subscription, read_spec, shown_url, unmasked
from notifier.errors import SubscriptionNotFoundError


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
        new = unmasked(new, await store.get_subscription(tx, cause.workspace, name))
        if new.secret is not None:
            key_of(new.secret)
        found = await store.put_subscription(tx, cause.workspace, cause.actor, new)
        await store.wake_senders(tx)
        return document(found)


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


async def delete_subscription(pool: Pool, workspace: str, name: str) -> None:
    """Its deliveries go with it. Raises SubscriptionNotFoundError."""
    async with transaction(pool) as tx:
        if not await store.delete_subscription(tx, workspace, name):
            raise SubscriptionNotFoundError(
                name, [one.name for one in await store.list_subscriptions(tx, workspace, "", 20)]
            )
