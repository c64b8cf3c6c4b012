"""Deliveries: one event on its way to one subscription, and when it is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias
from uuid import UUID

from modelyard_platform.cause import Cause
from notifier.domain.subscriptions import Subscription

GROWTH: Final = 4.0
JITTER: Final = 0.2

DeliveryStatus = Literal["pending", "delivered", "dead"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """`attempts` counts those begun."""

    id: UUID
    position: int
    workspace: str
    subscription: str
    event_id: UUID
    event_type: str
    event_subject: str
    status: DeliveryStatus
    attempts: int
    detail: str | None
    next_attempt_at: datetime
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A delivery in the hands of this process, with all that is needed to send it."""

    delivery: Delivery
    subscription: Subscription
    envelope: str = field(repr=False)
    cause: Cause


@dataclass(frozen=True, slots=True)
class Sent:
    """The receiver took it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It did not arrive. `after_s` is the receiver's own wish; `gone` says that it will never want any again."""

    detail: str
    after_s: float = 0.0
    gone: bool = False


Result: TypeAlias = Sent | Refused


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how long in between (seconds)."""

    max_attempts: int
    first_delay_s: float
    longest_delay_s: float

    def delay_s(self, attempts: int, *, wished_s: float = 0.0, chance: float | None = None) -> float | None:
        """The wait after the nth failed attempt, or None after the last.

        It grows fourfold to the longest, moved by up to 20 % either way so that many failures do not come back at once; a
        receiver's `Retry-After` is kept to when it is longer, up to the longest.
        """
        if attempts >= self.max_attempts:
            return None
        grown = min(self.first_delay_s * GROWTH ** (attempts - 1), self.longest_delay_s)
        moved = grown * (1 + JITTER * (2 * (random.random() if chance is None else chance) - 1))  # noqa: S311 - no secret
        return max(moved, min(wished_s, self.longest_delay_s))
