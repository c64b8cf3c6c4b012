"""Every specification of the example is valid, and points at files that are there."""

from pathlib import Path

import pytest

from modelyard_specs import load

EXAMPLE = Path(__file__).resolve().parents[1]
SPECS = sorted(path for path in EXAMPLE.rglob("*.yml") if path.name != "conda.yml")
KINDS = {
    "components/compare.yml": "command_component",
    "components/evaluate.yml": "command_component",
    "components/prep.yml": "command_component",
    "components/train.yml": "command_component",
    "data-recent.yml": "data",
    "data-training.yml": "data",
    "deployment-blue.yml": "online_deployment",
    "deployment-green.yml": "online_deployment",
    "endpoint.yml": "online_endpoint",
    "environment/environment.yml": "environment",
    "monitor.yml": "monitor_schedule",
    "pipeline.yml": "pipeline_job",
    "retrain.yml": "pipeline_job",
    "subscription-chat.yml": "subscription",
    "subscription-webhook.yml": "subscription",
    "trigger.yml": "trigger",
}


def test_every_specification_is_named_here() -> None:
    assert {str(path.relative_to(EXAMPLE)) for path in SPECS} == set(KINDS)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.name)
def test_a_specification_is_valid(path: Path) -> None:
    assert load(path).kind == KINDS[str(path.relative_to(EXAMPLE))]


@pytest.mark.parametrize("path", [p for p in SPECS if p.parent.name == "components"], ids=lambda path: path.name)
def test_a_component_finds_its_code(path: Path) -> None:
    component = load(path).spec()
    script = component["command"].split()[1]
    assert (path.parent / component["code"] / script).is_file()
