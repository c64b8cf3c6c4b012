"""What the notifier's routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from notifier.domain.deliveries import DeliveryStatus
from notifier.domain.subscriptions import Format, SubscriptionType


class SubscriptionRequest(BaseModel):
    """A `type: webhook`, `chat` or `openlineage` document."""

    model_config = ConfigDict(extra="forbid")

    spec: dict[str, Any]


class Subscription(BaseModel):
    """One subscription; what gives access is shown as `***`, and `***` sent back keeps what is stored."""

    name: str
    type: SubscriptionType
    url: str
    secret: str | None
    events: list[str]
    subjects: list[str]
    format: Format
    description: str
    enabled: bool
    disabled_reason: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class SubscriptionPage(BaseModel):
    items: list[Subscription]
    next: str | None


class Delivery(BaseModel):
    """One event on its way to one subscription; `detail` says why the last attempt failed."""

    id: str
    subscription: str
    event: str
    event_type: str
    event_subject: str
    status: DeliveryStatus
    attempts: int = Field(description="those begun since it was made or replayed")
    detail: str | None
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class DeliveryPage(BaseModel):
    items: list[Delivery]
    next: str | None
