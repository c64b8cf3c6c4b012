"""What a webhook receives: CloudEvents 1.0 structured JSON, signed as Standard Webhooks 1.0 says.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Final
from uuid import UUID

from modelyard_contracts import short_type
from notifier.domain.subscriptions import Format
from notifier.errors import SubscriptionInvalidError

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
PREFIX: Final = "whsec_"

EVENT_GRID_TYPES: Final = {
    "model.registered": "Microsoft.MachineLearningServices.ModelRegistered",
    "deployment.ready": "Microsoft.MachineLearningServices.ModelDeployed",
    "job.completed": "Microsoft.MachineLearningServices.RunCompleted",
    "job.submitted": "Microsoft.MachineLearningServices.RunStatusChanged",
    "job.started": "Microsoft.MachineLearningServices.RunStatusChanged",
    "job.failed": "Microsoft.MachineLearningServices.RunStatusChanged",
    "job.canceled": "Microsoft.MachineLearningServices.RunStatusChanged",
    "drift.detected": "Microsoft.MachineLearningServices.DatasetDriftDetected",
}
"""Azure Event Grid's name for what happened, where it has one."""


def body_of(envelope: str, format_: Format) -> bytes:
    """The event as it is sent."""
    if format_ == "cloudevents":
        return envelope.encode()
    event = json.loads(envelope)
    event["type"] = EVENT_GRID_TYPES.get(short_type(event["type"]), event["type"])
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def key_of(secret: str) -> bytes:
    """The bytes to sign with: `whsec_` and base64, as the specification writes secrets, or any other text as it is.

    Raises SubscriptionInvalidError."""
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise SubscriptionInvalidError(f"secret: what follows {PREFIX} is not base64", path="secret") from error


def headers_of(delivery: UUID, at: datetime, body: bytes, secret: str | None) -> dict[str, str]:
    """`webhook-id` is the delivery's, the same at every attempt; without a secret there is no signature."""
    id_, timestamp = f"msg_{delivery.hex}", str(int(at.timestamp()))
    headers = {"content-type": CONTENT_TYPE, "webhook-id": id_, "webhook-timestamp": timestamp}
    if secret is not None:
        mac = hmac.new(key_of(secret), f"{id_}.{timestamp}.".encode() + body, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(mac.digest()).decode()}"
    return headers
