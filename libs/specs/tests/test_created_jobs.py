"""What a trigger or a schedule submits."""

from pathlib import Path
from typing import Any

import pytest

from modelyard_specs import Document, SpecError, UnboundError, created_job, load, load_mapping, localise

FIXTURES = Path(__file__).parent / "fixtures"


def _received(name: str) -> Document:
    return load_mapping(localise(load(FIXTURES / name), tree=lambda _path: "0" * 64))


def _trigger(inputs: dict[str, Any]) -> Document:
    return load_mapping(
        {
            "type": "trigger",
            "name": "t",
            "on": {"type": "drift.detected"},
            "create_job": {
                "command": "run ${{inputs.a}} ${{inputs.b}} ${{inputs.c}}",
                "environment": "azureml:e:1",
                "inputs": {"a": 1, "b": 2, "c": {"type": "uri_folder", "path": "azureml:x:1"}},
            },
            "inputs": inputs,
        }
    )


EVENT = {"subject": "endpoints/flights", "data": {"rate": 0.25, "baseline": "azureml:flights:2"}}


def test_a_schedules_changes_go_over_the_job() -> None:
    job = created_job(_received("schedules/nightly.yml"))
    assert job["inputs"]["rate"] == 0.1
    assert job["inputs"]["raw"]["path"] == f"modelyard://trees/{'0' * 64}"
    assert job["settings"]["force_rerun"] is True
    assert job["settings"]["default_compute"] == "azureml:cpu-cluster"
    assert load_mapping(job, group="job").kind == "pipeline_job"


def test_a_triggers_inputs_take_the_events_values() -> None:
    job = created_job(_received("schedules/retrain.yml"), event=EVENT)
    assert job["inputs"]["rate"] == 0.25
    assert load_mapping(job, group="job").kind == "pipeline_job"
    inputs = {
        "a": "because of ${{event.subject}} at ${{event.data.rate}}",
        "c": {"type": "uri_folder", "path": "${{event.data.baseline}}"},
    }
    job = created_job(_trigger(inputs), event=EVENT)
    assert job["inputs"] == {
        "a": "because of endpoints/flights at 0.25",
        "b": 2,
        "c": {"type": "uri_folder", "path": "azureml:flights:2"},
    }


@pytest.mark.parametrize("value", ["${{event.data.nothing}}", "x ${{event.data.nothing}}"])
def test_a_value_that_the_event_does_not_have(value: str) -> None:
    with pytest.raises(UnboundError, match=r"event\.data\.nothing"):
        created_job(_trigger({"a": value}), event=EVENT)


def test_a_job_that_is_only_named() -> None:
    document = load_mapping(
        {"name": "s", "trigger": {"type": "cron", "expression": "0 * * * *"}, "create_job": "azureml:nightly"}
    )
    with pytest.raises(SpecError, match="is named, not given"):
        created_job(document)


def test_other_kinds_create_no_job() -> None:
    with pytest.raises(ValueError, match="a data creates no job"):
        created_job(_received("assets/data.yml"))
