"""The notifier's errors."""

from __future__ import annotations

from collections.abc import Iterable

from modelyard_platform.errors import InvalidError, NotFoundError, PreconditionError


class SubscriptionInvalidError(InvalidError):
    """The specification is not a subscription. `errors` lists every finding."""

    code = "subscription_invalid"


class SubscriptionNotFoundError(NotFoundError):
    """Names what was asked for and what exists instead."""

    code = "subscription_not_found"

    def __init__(self, name: str, exists: Iterable[str]) -> None:
        there = list(exists)
        hint = f"; there are {', '.join(there)}" if there else "; there are no subscriptions yet"
        super().__init__(f"there is no subscription {name!r}{hint}", exists=there)


class DeliveryNotFoundError(NotFoundError):
    """No delivery has this id."""

    code = "delivery_not_found"

    def __init__(self, id_: str) -> None:
        super().__init__(f"there is no delivery {id_!r}; a subscription's deliveries list theirs")


class DeliveryPendingError(PreconditionError):
    """A delivery that is still on its way cannot be replayed."""

    code = "delivery_pending"

    def __init__(self, id_: str) -> None:
        super().__init__(f"delivery {id_} is still being tried; only a delivered or a dead one can be replayed")
