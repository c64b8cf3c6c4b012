"""When a trigger fires, and what it submits then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from services.scheduler.tests.support import command

from modelyard_contracts import Event, full_type
from modelyard_contracts.scheduler import JobCompleted
from modelyard_specs import load_mapping
from modelyard_specs.kinds.automation import Trigger
from scheduler.domain.triggers import Fires, Passes, decide, fill_in, job_spec

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DATA = JobCompleted(job="nightly", kind="command", outputs={"model": "tree"}, seconds=3.5)
EVENT = Event[Any](
    id=uuid4(), source="/modelyard/scheduler", type=full_type(DATA.TYPE), subject=DATA.subject, time=NOW, workspace="default",
    actor="job:nightly", correlationid="c", sequence=1, data=DATA,
)  # fmt: skip


def trigger(**more: Any) -> Trigger:
    spec = {
        "type": "trigger",
        "name": "t",
        "on": {"type": "job.completed"},
        "create_job": command("x", inputs={}),
    } | more
    model = load_mapping(spec, group="trigger").model
    assert isinstance(model, Trigger)
    return model


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        ({"type": "job.completed"}, True),
        ({"type": "job.failed"}, False),
        ({"type": "job.completed", "filter": {"subject": "jobs/night*"}}, True),
        ({"type": "job.completed", "filter": {"subject": "jobs/day*"}}, False),
        ({"type": "job.completed", "filter": {"data": {"kind": "command", "outputs.model": "tree"}}}, True),
        ({"type": "job.completed", "filter": {"data": {"kind": "pipeline"}}}, False),
        ({"type": "job.completed", "filter": {"data": {"nothing.there": None}}}, True),
    ],
)
def test_type_subject_and_data_must_fit(condition: dict[str, Any], fires: bool) -> None:
    decision = decide(trigger(on=condition), EVENT, now=NOW, last_fired_at=None)
    assert isinstance(decision, Fires if fires else Passes)


def test_within_the_cooldown_it_passes() -> None:
    cooling = trigger(cooldown=60)
    assert isinstance(decide(cooling, EVENT, now=NOW, last_fired_at=NOW - timedelta(seconds=59)), Passes)
    assert isinstance(decide(cooling, EVENT, now=NOW, last_fired_at=NOW - timedelta(seconds=60)), Fires)
    assert isinstance(decide(trigger(), EVENT, now=NOW, last_fired_at=NOW), Fires)
    assert isinstance(decide(trigger(enabled=False), EVENT, now=NOW, last_fired_at=None), Passes)


def test_inputs_come_from_the_event_and_go_over_the_job() -> None:
    event = EVENT.model_dump(mode="json")
    spec = {
        "create_job": {
            "job": {
                **command("x"),
                "name": "fixed",
                "inputs": {"a": 1, "b": {"type": "uri_folder", "path": "azureml:d:1"}, "c": 2},
            },
            "display_name": "again",
            "inputs": {"c": 3},
        },
        "inputs": {"a": "${{event.data.seconds}}", "b": "azureml://jobs/${{event.data.job}}/outputs/model"},
    }
    made = job_spec(spec, event)
    assert made["inputs"] == {
        "a": 3.5,
        "b": {"type": "uri_folder", "path": "azureml://jobs/nightly/outputs/model"},
        "c": 3,
    }
    assert made["display_name"] == "again"
    assert "name" not in made


def test_a_value_the_event_lacks_is_said() -> None:
    with pytest.raises(ValueError, match=r"event\.data\.nothing"):
        fill_in("${{event.data.nothing}}", EVENT.model_dump(mode="json"))
