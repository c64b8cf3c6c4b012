"""Those outside that are told: webhooks and chats."""

from __future__ import annotations

from typing import Protocol

from notifier.domain.deliveries import Attempt, Result


class Receiver(Protocol):
    """Takes one event; what goes wrong on the way is a Refused."""

    async def send(self, attempt: Attempt) -> Result: ...
