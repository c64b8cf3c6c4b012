"""Identities, errors, migrations, telemetry: what stands at the edges of every service."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_platform import identity, migrations, telemetry
from modelyard_platform.cause import ROLES, Cause, Identity, cause_of_request
from modelyard_platform.database import connect
from modelyard_platform.errors import Kind, PlatformError, UnauthenticatedError, from_problem, http_status, to_problem

KEY = "test-key-of-at-least-thirty-two-bytes"
ADA = Identity(actor="user:ada", role="deployer", workspace="default")


def test_a_signed_identity_comes_back() -> None:
    assert identity.verify(KEY, identity.sign(KEY, ADA, issuer="gateway")) == ADA


def test_an_identity_that_was_accepted_once_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    token = identity.sign(KEY, ADA, issuer="gateway", lifetime_s=60)
    assert identity.verify(KEY, token) == ADA
    later = time.time() + 66
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(UnauthenticatedError) as refused:
        identity.verify(KEY, token)
    assert refused.value.code == "token_expired"
    with pytest.raises(UnauthenticatedError, match="not valid"):
        identity.verify("another-key-of-at-least-thirty-two", token)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda: identity.sign(KEY, ADA, issuer="gateway", lifetime_s=-60), "token_expired"),
        (lambda: identity.sign("another-key-of-at-least-thirty-two", ADA, issuer="gateway"), "token_invalid"),
        (lambda: identity.sign(KEY, ADA, issuer="scheduler", audience="gateway"), "token_invalid"),
        (lambda: "no.such.token", "token_invalid"),
        (lambda: "", "token_invalid"),
    ],
)
def test_what_does_not_hold_is_refused(token: Callable[[], str], code: str) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        identity.verify(KEY, token())
    assert caught.value.code == code


def test_each_role_may_what_those_before_it_may() -> None:
    for position, role in enumerate(ROLES):
        who = Identity(actor="a", role=role)
        assert [who.may(other) for other in ROLES] == [index <= position for index in range(len(ROLES))]


@given(
    st.sampled_from(get_args(Kind)),
    st.text(min_size=1),
    st.dictionaries(st.sampled_from(["path", "line"]), st.integers()),
)
def test_an_error_means_the_same_on_the_other_side_of_http(kind: Kind, detail: str, members: dict[str, int]) -> None:
    error = PlatformError(detail, kind=kind, code="some_code", **members)
    problem = json.loads(json.dumps(to_problem(error)))
    back = from_problem(http_status(kind), problem)
    assert (back.kind, back.code, back.detail, back.members) == (kind, "some_code", detail, members)


@given(st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1))
def test_a_reason_survives_the_header(reason: str) -> None:
    cause = Cause(actor="user:ada", correlation_id="c", reason=reason)
    as_received = {name: value.encode().decode("latin-1") for name, value in cause.headers().items()}
    assert cause_of_request(ADA, as_received, None).reason == reason


async def test_migrations_are_applied_once_and_never_edited(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await migrations.migrate(database, "modelyard_testing") == []  # the fixture has applied them
    connection = await connect(database)
    try:
        await connection.execute("update migrations set sha256 = 'of another content'")
    finally:
        await connection.close()
    with pytest.raises(migrations.MigrationChangedError, match="add a new migration"):
        await migrations.migrate(database, "modelyard_testing")


def test_a_log_line_is_json_with_the_trace(caplog: pytest.LogCaptureFixture) -> None:
    parent = f"00-{0xABC:032x}-{0xDEF:016x}-01"
    record = logging.makeLogRecord({"msg": "step %s", "args": ("a",), "levelname": "INFO", "name": "x", "job": "j"})
    with telemetry.span("work", parent=parent):
        carried = telemetry.traceparent()
        line = json.loads(telemetry.JsonLines("registry").format(record))
    assert (line["message"], line["service"], line["job"]) == ("step a", "registry", "j")
    assert line["trace_id"] == f"{0xABC:032x}"
    assert carried is not None
    assert carried.startswith(f"00-{0xABC:032x}-")
