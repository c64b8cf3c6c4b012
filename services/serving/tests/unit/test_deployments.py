"""The states of a deployment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.domain import deployments as states
from serving.domain.deployments import NEXT, UNDER_WAY, Deployment, Generation
from serving.errors import BeingDeletedError

AT = datetime(2026, 11, 1, tzinfo=UTC)
CAUSE: dict[str, Any] = {"actor": "user:ada", "correlation_id": "c"}


def requested(*, model: str = "m:1") -> Deployment:
    return Deployment(
        workspace="default",
        endpoint="e",
        name="blue",
        status="requested",
        target=Generation(number=1, spec={"model": model}, model=model),
        cause=CAUSE,
        created_at=AT,
        changed_at=AT,
    )


def plan(replicas: int) -> dict[str, Any]:
    return {"num_replicas": replicas, "timeout_ms": 5000}


def live(*, replicas: int = 2) -> Deployment:
    return states.ready(states.starting(requested(), plan(replicas), AT), AT)


def update(deployment: Deployment, model: str) -> Deployment | None:
    return states.updated(deployment, spec={"model": model}, model=model, cause=CAUSE, all_traffic=False, at=AT)


def test_an_update_that_fails_keeps_the_last_known_good() -> None:
    before = live()
    asked = update(before, "m:2")
    assert asked is not None
    assert (asked.status, asked.target.number, asked.live) == ("requested", 2, before.live)
    after = states.failed(states.starting(asked, plan(2), AT), "it raised", AT)
    assert (after.status, after.detail, after.live) == ("failed", "it raised", before.live)


def test_the_same_spec_again_asks_for_nothing() -> None:
    assert update(requested(), "m:1") is None
    assert update(live(), "m:1") is None


def test_the_same_spec_after_a_failure_is_another_try() -> None:
    again = update(states.failed(requested(), "no", AT), "m:1")
    assert again is not None
    assert (again.status, again.target.number) == ("requested", 2)


def test_a_label_that_has_moved_is_another_generation() -> None:
    spec = {"model": "azureml:m@champion"}
    before = replace(live(), target=Generation(number=1, spec=spec, model="m:1"))
    after = states.updated(before, spec=spec, model="m:2", cause=CAUSE, all_traffic=False, at=AT)
    assert after is not None
    assert after.target.model == "m:2"


def test_nothing_is_asked_of_what_is_being_deleted() -> None:
    with pytest.raises(BeingDeletedError):
        update(states.deleting(live(), CAUSE, AT), "m:2")


@pytest.mark.parametrize(("running", "status"), [(2, "ready"), (3, "ready"), (1, "degraded"), (0, "degraded")])
def test_fewer_replicas_than_asked_for_is_degraded(running: int, status: str) -> None:
    seen = states.observed(live(replicas=2), running, AT)
    assert (seen.status, seen.replicas) == (status, running)
    assert states.observed(seen, 2, AT).status == "ready"


def test_a_failed_update_is_not_forgotten_because_the_live_one_is_well() -> None:
    asked = update(live(), "m:2")
    assert asked is not None
    assert states.observed(states.failed(asked, "no", AT), 2, AT).status == "failed"


REFUSED = "default/models/m/versions/1 is refused: model.onnx has been changed"


def test_what_a_lost_replicas_successor_refuses_is_remembered_until_it_is_well() -> None:
    lost = states.observed(live(replicas=2), 1, AT)
    assert (lost.status, lost.live and lost.live.refused) == ("degraded", None)
    seen = states.observed(lost, 1, AT, REFUSED)
    assert seen.live is not None
    assert seen.live.refused_subject == "default/models/m/versions/1"
    assert seen.detail == f"1 of 2 replicas are running: {REFUSED}"
    assert states.observed(seen, 1, AT) == seen, "while Ray starts anew it says nothing"
    assert states.observed(seen, 1, AT, REFUSED + " on another node") == seen
    well = states.observed(seen, 2, AT, REFUSED)
    assert (well.status, well.detail, well.live) == ("ready", "", live().live)


def test_a_refusal_is_kept_beside_a_failed_update() -> None:
    asked = update(live(), "m:2")
    assert asked is not None
    seen = states.observed(states.failed(asked, "no", AT), 1, AT, REFUSED)
    assert (seen.status, seen.detail) == ("failed", "no")
    assert seen.live is not None
    assert seen.live.refused == REFUSED


def happen(deployment: Deployment, what: str, number: int) -> Deployment:
    """The next state, or the same when this cannot happen now."""
    match what:
        case "update" if deployment.status != "deleting":
            return update(deployment, f"m:{number}") or deployment
        case "build" if "building" in NEXT[deployment.status]:
            return states.building(deployment, "conversion", AT)
        case "start" if "starting" in NEXT[deployment.status]:
            return states.starting(deployment, plan(number), AT)
        case "ready" if deployment.status == "starting":
            return states.ready(deployment, AT)
        case "fail" if "failed" in NEXT[deployment.status]:
            return states.failed(deployment, "no", AT)
        case "observe":
            return states.observed(deployment, number - 1, AT)
        case "delete":
            return states.deleting(deployment, CAUSE, AT)
    return deployment


WHAT = st.sampled_from(["update", "build", "start", "ready", "fail", "observe", "delete"])


@given(st.lists(st.tuples(WHAT, st.integers(1, 4)), max_size=40))
def test_whatever_happens(story: list[tuple[str, int]]) -> None:
    deployment = requested()
    for what, number in story:
        before, deployment = deployment, happen(deployment, what, number)
        assert deployment.status == before.status or deployment.status in NEXT[before.status]
        assert deployment.target.number - before.target.number == int(what == "update" and deployment is not before)
        if deployment.live != before.live:
            assert what == "ready", "only what has become ready is live"
            assert deployment.live == deployment.target
        if deployment.status in ("ready", "degraded"):
            assert deployment.live == deployment.target
        if deployment.live is not None:
            assert deployment.live.plan is not None
            assert deployment.live.number <= deployment.target.number
            if deployment.status in UNDER_WAY:
                assert deployment.live.number < deployment.target.number
        if before.status == "deleting":
            assert deployment == before
