"""Keys, traffic and routes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain import deployments as states
from serving.domain.deployments import Deployment, Generation
from serving.domain.endpoints import Endpoint, key, key_hash, regenerated, route, split
from serving.errors import DeploymentNotFoundError, NotReadyError, TrafficInvalidError

AT = datetime(2026, 11, 1, tzinfo=UTC)
ENDPOINT = Endpoint(workspace="default", name="e", spec={}, traffic={}, cause={}, created_by="user:ada", created_at=AT)


def deployment(name: str, *, ready: bool = True, timeout_ms: int = 5000) -> Deployment:
    asked = Deployment(
        workspace="default",
        endpoint="e",
        name=name,
        status="requested",
        target=Generation(number=1, spec={}, model="m:1"),
        cause={},
        created_at=AT,
        changed_at=AT,
    )
    started = states.starting(asked, {"num_replicas": 1, "timeout_ms": timeout_ms}, AT)
    return states.ready(started, AT) if ready else started


TWO = {"blue": deployment("blue"), "green": deployment("green", timeout_ms=9000)}


def test_keys_are_derived_and_differ_in_everything_that_names_them() -> None:
    other = replace(ENDPOINT, name="f")
    keys = [
        key("secret", ENDPOINT, "primary"),
        key("secret", ENDPOINT, "secondary"),
        key("secret", other, "primary"),
        key("another", ENDPOINT, "primary"),
        key("secret", regenerated(ENDPOINT, "primary"), "primary"),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(value) == 43 and value.replace("-", "").replace("_", "").isalnum() for value in keys)
    assert key("secret", ENDPOINT, "primary") == keys[0]
    assert key("secret", regenerated(ENDPOINT, "primary"), "secondary") == keys[1], "the other key goes on working"


def test_the_route_has_hashes_and_no_keys() -> None:
    told = route(ENDPOINT, TWO, "secret", 1000)
    value = key("secret", ENDPOINT, "primary")
    assert key_hash(value) == hashlib.sha256(value.encode()).hexdigest()
    assert key_hash(value) in told["keys"]
    assert value not in str(told)
    assert (told["max_body_bytes"], told["timeout_ms"]) == (1000, 9000)


def test_the_route_has_live_deployments_only() -> None:
    updating = states.updated(TWO["green"], spec={"model": "n"}, model="n:1", cause={}, all_traffic=False, at=AT)
    assert updating is not None
    found = {
        "blue": TWO["blue"],
        "green": updating,
        "red": deployment("red", ready=False),
        "old": states.deleting(deployment("old"), {}, AT),
    }
    told = route(ENDPOINT, found, "secret", 1000)
    assert told["deployments"] == ["blue", "green"]
    assert told["generations"] == {"blue": 1, "green": 1}


@given(st.integers(0, 100))
def test_a_split_adds_up_to_100_and_zeros_are_left_out(blue: int) -> None:
    changed = split(ENDPOINT, {"blue": blue, "green": 100 - blue}, TWO)
    assert sum(changed.traffic.values()) == 100
    assert all(changed.traffic.values())
    assert changed.revision == 2
    assert split(changed, changed.traffic, TWO) is changed


def test_no_traffic_at_all_is_a_split_too() -> None:
    before = replace(ENDPOINT, traffic={"blue": 100})
    assert split(before, {"blue": 0}, TWO).traffic == {}
    assert split(before, {}, TWO).traffic == {}


@pytest.mark.parametrize("wanted", [{"blue": 90}, {"blue": 60, "green": 60}, {"blue": 101, "green": -1}])
def test_a_split_that_is_none(wanted: dict[str, int]) -> None:
    with pytest.raises(TrafficInvalidError, match=r"adds up to|a share is"):
        split(ENDPOINT, wanted, TWO)


def test_traffic_for_what_is_not_there_says_what_is() -> None:
    with pytest.raises(DeploymentNotFoundError, match="it has blue, green"):
        split(ENDPOINT, {"gren": 100}, TWO)


def test_traffic_for_what_is_not_ready_says_its_state() -> None:
    starting = deployment("red", ready=False)
    with pytest.raises(NotReadyError, match="'red' is starting"):
        split(ENDPOINT, {"red": 100}, {"red": starting})
    with pytest.raises(NotReadyError, match=r"'red' is failed \(init\(\) raised\)"):
        split(ENDPOINT, {"red": 100}, {"red": states.failed(starting, "init() raised\nTraceback", AT)})
    assert split(ENDPOINT, {"red": 0, "blue": 100}, TWO | {"red": starting}).traffic == {"blue": 100}


def test_a_failed_update_still_gets_traffic_for_its_last_known_good() -> None:
    asked = states.updated(TWO["blue"], spec={"model": "n"}, model="n:1", cause={}, all_traffic=False, at=AT)
    assert asked is not None
    assert split(ENDPOINT, {"blue": 100}, {"blue": states.failed(asked, "no", AT)}).traffic == {"blue": 100}
