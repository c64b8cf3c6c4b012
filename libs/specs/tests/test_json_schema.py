"""The published JSON Schemas: valid, accepting what is right and refusing what is planted."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types

from modelyard_specs import survey_paths
from modelyard_specs.json_schema import published
from modelyard_specs.yaml_source import read

HERE = Path(__file__).parent
GOOD = [
    Path(verdict.path)
    for verdict in survey_paths([HERE / "corpus", HERE / "fixtures"])
    if verdict.status in {"ok", "unsupported"} and not verdict.path.endswith("feature-set.yml")
]
PLANTED: list[tuple[str, dict[str, Any]]] = [
    ("corpus/jobs/iris-tutorial.yml", {"comand": "ls"}),
    ("corpus/jobs/no-schema-no-type.yml", {"environment_variable": {}}),
    ("corpus/jobs/iris-tutorial.yml", {"environment": 3}),
    ("corpus/pipelines/inline-steps.yml", {"settings": {"default_datestore": "x"}}),
    ("corpus/pipelines/inline-steps.yml", {"jobs": {"a": {"command": "ls", "enviroment": "azureml:e:1"}}}),
    ("corpus/pipelines/inline-steps.yml", {"jobs": {"a": {"type": "sweeep"}}}),
    ("corpus/sweeps/sweep-iris.yml", {"objective": {"goal": "biggest", "primary_metric": "auc"}}),
    ("corpus/assets/data/local-file.yml", {"type": "uri_foldr"}),
    ("corpus/assets/models/mlflow.yml", {"pth": "x"}),
    ("corpus/online/blue.yml", {"instance_count": -1}),
    ("corpus/batch/deployment-settings.yml", {"settings": {"minibatch_size": 1}}),
    ("corpus/schedules/cron.yml", {"trigger": {"type": "cron"}}),
    ("corpus/monitoring/advanced.yaml", {"create_monitor": {"monitoring_signals": {"x": {"type": "dataa_drift"}}}}),
    ("corpus/resources/compute/cluster.yml", {"maximum_instances": 3}),
    ("fixtures/schedules/retrain.yml", {"cooldown": -1}),
    ("fixtures/schedules/webhook.yml", {"events": []}),
]


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(published()[name])


def _value(path: Path) -> Any:
    return json.loads(json.dumps(read(path).value))


@pytest.mark.parametrize("name", published())
def test_it_is_a_valid_schema(name: str) -> None:
    Draft202012Validator.check_schema(published()[name])


@pytest.mark.parametrize("path", GOOD, ids=[path.relative_to(HERE).as_posix() for path in GOOD])
def test_what_is_right_is_accepted(path: Path) -> None:
    assert not [error.json_path for error in _validator("azureml-v2.schema.json").iter_errors(_value(path))]


@pytest.mark.parametrize(("name", "change"), PLANTED, ids=[f"{name}-{next(iter(c))}" for name, c in PLANTED])
def test_a_planted_error_is_refused(name: str, change: dict[str, Any]) -> None:
    value = _value(HERE / name)
    assert _validator("azureml-v2.schema.json").is_valid(value)
    assert not _validator("azureml-v2.schema.json").is_valid({**value, **change})


@pytest.mark.parametrize("name", ["retrain", "chat", "webhook"])
def test_own_kinds_have_a_schema_of_their_own(name: str) -> None:
    value = _value(HERE / f"fixtures/schedules/{name}.yml")
    assert _validator("modelyard.schema.json").is_valid(value)
    assert not _validator("modelyard.schema.json").is_valid({**value, "typ": "x"})
    assert not _validator("modelyard.schema.json").is_valid({"type": "uri_file", "name": "d", "path": "./x"})
