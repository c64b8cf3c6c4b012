"""The notifier's pure decisions."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.notifier.tests.support import make_event

from modelyard_contracts import EVENT_TYPES
from modelyard_contracts.registry import ModelRegistered
from notifier.domain.deliveries import RetryPolicy
from notifier.domain.messages import compose
from notifier.domain.signing import headers_of
from notifier.domain.subscriptions import Subscription, shown_url, wants

POLICY = RetryPolicy(max_attempts=8, first_delay_s=5.0, longest_delay_s=3600.0)
SIGNATURE = "v1,lvNsTtR36GtUaAhsF4zTgqp9ixpKkHV5vNv40NbkZfY="
NOW = datetime.now(UTC)


def subscription(**members: Any) -> Subscription:
    base: dict[str, Any] = {
        "workspace": "default", "name": "s", "type": "webhook", "url": "https://x/", "secret": None, "events": ("*",), "subjects": (),
        "format": "cloudevents", "description": "", "enabled": True, "disabled_reason": None, "created_by": "user:a",
        "created_at": NOW - timedelta(hours=1), "updated_at": NOW,
    }  # fmt: skip
    return Subscription(**(base | members))


@pytest.mark.parametrize(
    ("members", "wanted"),
    [
        ({}, True),
        ({"events": ("model.*",)}, True),
        ({"events": ("model.registered",)}, True),
        ({"events": ("model.deleted", "data.*")}, False),
        ({"subjects": ("models/flight-*",)}, True),
        ({"subjects": ("models/other/*",)}, False),
        ({"enabled": False}, False),
        ({"workspace": "elsewhere"}, False),
        ({"created_at": NOW + timedelta(hours=1)}, False),
    ],
)
def test_wants(members: dict[str, Any], wanted: bool) -> None:
    assert wants(subscription(**members), make_event(ModelRegistered(name="flight-delay", version="1"))) is wanted


@given(attempts=st.integers(1, 7), chance=st.floats(0, 1))
def test_delays_grow_fourfold_within_their_jitter_and_bound(attempts: int, chance: float) -> None:
    delay = POLICY.delay_s(attempts, chance=chance)
    assert delay == pytest.approx(min(5.0 * 4 ** (attempts - 1), 3600.0), rel=0.2000001)


def test_the_last_attempt_is_the_last() -> None:
    assert POLICY.delay_s(7) is not None
    assert POLICY.delay_s(8) is None
    assert POLICY.delay_s(1, wished_s=60, chance=0.5) == 60
    assert POLICY.delay_s(1, wished_s=1e9, chance=0.5) == 3600


def test_signature_is_what_openssl_says() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    id_ = UUID("00000000-0000-0000-0000-000000000000")
    headers = headers_of(id_, datetime.fromtimestamp(1614265330, UTC), body, secret)
    # printf '%s' 'msg_000….1614265330.{"test": …}' | openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64
    assert headers["webhook-signature"] == SIGNATURE
    assert headers_of(id_, datetime.fromtimestamp(1614265331, UTC), body, secret)["webhook-signature"] != SIGNATURE


@pytest.mark.parametrize(
    ("type_", "url", "shown"),
    [
        ("chat", "https://hooks.slack.com/services/T/B/key", "https://hooks.slack.com/***"),
        ("chat", "mailto://user:password@example.com", "mailto://***"),
        ("webhook", "https://example.com:8443/hook", "https://example.com:8443/hook"),
        ("webhook", "https://user:password@example.com/hook?token=1#x", "https://***@example.com/hook?***"),
    ],
)
def test_shown_url(type_: Any, url: str, shown: str) -> None:
    assert shown_url(type_, url) == shown


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_every_event_has_a_message(name: str) -> None:
    """Made of its class's own sample values, so that a new event cannot be forgotten."""
    data = EVENT_TYPES[name].model_validate(_sample(EVENT_TYPES[name]))
    message = compose(make_event(data), "")
    assert message.title
    assert all(label and value for label, value in message.facts)


def _sample(event_class: Any) -> dict[str, Any]:
    kinds = {str: "x", int: 1, float: 1.0, bool: True, dict[str, int]: {"blue": 90}}
    samples: dict[str, Any] = {}
    for name, field in event_class.model_fields.items():
        if field.is_required():
            samples[name] = kinds.get(field.annotation, "pipeline" if name == "kind" else "2026-01-01T00:00:00Z")
    return samples
