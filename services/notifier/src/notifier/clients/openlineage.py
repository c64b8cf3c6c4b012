"""OpenLineage receivers (Marquez, DataHub, OpenMetadata and others): run events by HTTP, with a key."""

from __future__ import annotations

import json
from urllib.parse import urlsplit, urlunsplit

from modelyard_contracts import decode
from notifier.clients.webhook import Webhook
from notifier.domain.deliveries import Attempt, Result, Sent
from notifier.domain.openlineage import run_event

_PATH = "/api/v1/lineage"


class OpenLineage:
    """Posts what jobs do as OpenLineage run events. As the official clients do, to `/api/v1/lineage` unless the address has a path,
    and with the subscription's secret as a bearer key."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    async def send(self, attempt: Attempt) -> Result:
        """One attempt, bounded in time as a whole."""
        document = run_event(decode(attempt.envelope))
        if document is None:  # subscriptions are told of run events only
            return Sent()
        headers = {"content-type": "application/json"}
        if attempt.subscription.secret is not None:
            headers["authorization"] = f"Bearer {attempt.subscription.secret}"
        body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        return await self._webhook.post(_address(attempt.subscription.url), body, headers)


def _address(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=_PATH)) if parts.path in ("", "/") else url
