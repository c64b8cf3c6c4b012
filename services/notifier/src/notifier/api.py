"""Routes of subscriptions and deliveries."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request

from modelyard_platform.database import Pool
from modelyard_platform.errors import InvalidError
from modelyard_platform.http import Contributor, Reader
from notifier.domain.deliveries import DeliveryStatus
from notifier.schemas import Delivery, DeliveryPage, Subscription, SubscriptionPage, SubscriptionRequest
from notifier.usecases import deliveries, subscriptions

router = APIRouter(prefix="/api/v1", tags=["subscriptions"])

_NEWEST: Final = (1 << 63) - 1


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


Wired = Annotated[Pool, Depends(_pool)]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/subscriptions", response_model=SubscriptionPage, operation_id="list_subscriptions")
async def list_subscriptions(pool: Wired, caller: Reader, *, cursor: str = "", limit: Limit = 100) -> Any:
    items, following = await subscriptions.list_subscriptions(pool, caller.cause.workspace, after=cursor, limit=limit)
    return {"items": items, "next": following}


@router.put("/subscriptions/{name}", response_model=Subscription, operation_id="put_subscription")
async def put_subscription(name: str, body: SubscriptionRequest, pool: Wired, caller: Contributor) -> Any:
    """Make a subscription, or change the one of this name."""
    return await subscriptions.put_subscription(pool, caller.cause, name, body.spec)


@router.get("/subscriptions/{name}", response_model=Subscription, operation_id="get_subscription")
async def get_subscription(name: str, pool: Wired, caller: Reader) -> Any:
    return await subscriptions.get_subscription(pool, caller.cause.workspace, name)


@router.delete("/subscriptions/{name}", status_code=204, operation_id="delete_subscription")
async def delete_subscription(name: str, pool: Wired, caller: Contributor) -> None:
    """Delete a subscription and its deliveries."""
    await subscriptions.delete_subscription(pool, caller.cause, name)


@router.get("/subscriptions/{name}/deliveries", response_model=DeliveryPage, operation_id="list_deliveries")
async def list_deliveries(
    name: str,
    pool: Wired,
    caller: Reader,
    *,
    status: DeliveryStatus | None = None,
    cursor: str | None = None,
    limit: Limit = 100,
) -> Any:
    """A subscription's deliveries, newest first; `status=dead` gives those that were given up."""
    items, following = await deliveries.list_deliveries(
        pool, caller.cause.workspace, name, before=_read_cursor(cursor), status=status, limit=limit
    )
    return {"items": items, "next": following}


@router.post("/deliveries/{id_}/replay", response_model=Delivery, operation_id="replay_delivery")
async def replay_delivery(id_: str, pool: Wired, caller: Contributor) -> Any:
    """Send a delivered or dead delivery again."""
    return await deliveries.replay_delivery(pool, caller.cause, id_)


def _read_cursor(cursor: str | None) -> int:
    if cursor is None:
        return _NEWEST
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise InvalidError("the cursor is not one that a page gave", path="cursor")
    return int(cursor)
