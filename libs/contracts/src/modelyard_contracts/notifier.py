"""Events of the notifier. They are never delivered to subscriptions themselves, so that an alert cannot cause an alert."""

from __future__ import annotations

from typing import Any, ClassVar

from modelyard_contracts.envelope import EventData


class AlertEvent(EventData):
    """`delivery` identifies one event on its way to one subscription."""

    subscription: str
    delivery: str
    event: str
    event_type: str

    @property
    def subject(self) -> str:
        return f"subscriptions/{self.subscription}"


class AlertFired(AlertEvent):
    TYPE: ClassVar[str] = "alert.fired"


class AlertDelivered(AlertEvent):
    TYPE: ClassVar[str] = "alert.delivered"

    attempts: int = 1


class AlertDeadLettered(AlertEvent):
    TYPE: ClassVar[str] = "alert.dead_lettered"

    attempts: int
    detail: str


class SubscriptionChange(EventData):
    """Somebody changed a subscription: it `before` (None when it is new) and `after` (None when it is deleted), secrets masked."""

    subscription: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        return f"subscriptions/{self.subscription}"


class SubscriptionUpdated(SubscriptionChange):
    TYPE: ClassVar[str] = "subscription.updated"


class SubscriptionDeleted(SubscriptionChange):
    TYPE: ClassVar[str] = "subscription.deleted"


EVENTS: tuple[type[EventData], ...] = (
    AlertFired,
    AlertDelivered,
    AlertDeadLettered,
    SubscriptionUpdated,
    SubscriptionDeleted,
)
