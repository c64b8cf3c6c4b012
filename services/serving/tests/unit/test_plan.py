"""From specs to what replicas are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelyard_platform.errors import PlatformError
from modelyard_runtime.replica.spec import ReplicaSpec
from modelyard_specs.kinds.online import OnlineDeployment
from serving.domain.plan import (
    Defaults,
    ModelVersion,
    Onnx,
    as_signed_now,
    not_acted_upon,
    onnx_of,
    read_deployment,
    read_endpoint,
    replica_spec,
)
from serving.errors import FieldInvalidError, ModelNotServableError

TREE, CODE, LOCK = "a" * 64, "c" * 64, "d" * 64
DEFAULTS = Defaults(replica_cpus=0.1, request_timeout_ms=5000, max_body_bytes=1 << 20)
SIGNED = "e" * 64
SUBJECT = "default/models/line/versions/3"
VERSION = ModelVersion(scope="default", name="line", version="3", tree=TREE, files=("model.onnx",), manifest=SIGNED)
SCRIPT = {
    "model": "azureml:line:3",
    "code_configuration": {"code": f"modelyard://trees/{CODE}/src", "scoring_script": "score.py"},
    "environment": "azureml:sklearn:1",
}


def planned(spec: dict[str, Any], **more: Any) -> ReplicaSpec:
    asked = read_deployment(spec)
    known: dict[str, Any] = {"version": VERSION, "onnx": Onnx(TREE, "model.onnx", SUBJECT, SIGNED), "lock": None} | more
    return replica_spec(
        asked, workspace="default", endpoint="flights", deployment="blue", generation=2, defaults=DEFAULTS, **known
    )


def test_a_spec_of_nothing_but_a_model() -> None:
    told = planned({"model": "azureml:line:3"})
    assert told.model is not None
    assert (told.model.name, told.model.version, told.model.onnx_file) == ("line", "3", "model.onnx")
    assert (told.model.subject, told.model.manifest) == (SUBJECT, SIGNED)
    assert (told.num_replicas, told.num_cpus, told.num_gpus, told.timeout_ms) == (1, 0.1, 0.0, 5000)
    assert not told.collector.enabled, "no data_collector, no rows: as in the original"


def test_everything_a_spec_can_say() -> None:
    told = planned(
        {
            "model": "azureml:line:3",
            "instance_count": 3,
            "request_settings": {"request_timeout_ms": 9000},
            "environment_variables": {"A": "1", "B": None},
            "resources": {"requests": {"cpu": "500m", "nvidia.com/gpu": "1"}},
            "data_collector": {"collections": {"model_inputs": {"enabled": "true"}}, "sampling_rate": 0.25},
        }
    )
    assert (told.num_replicas, told.num_cpus, told.num_gpus, told.timeout_ms) == (3, 0.5, 1.0, 9000)
    assert told.environment_variables == {"A": "1", "B": ""}
    assert (told.collector.enabled, told.collector.sampling_rate) == (True, 0.25)


def test_a_score_script_gets_the_models_own_files() -> None:
    told = planned(SCRIPT, onnx=None, lock=LOCK)
    assert told.script is not None
    assert (told.script.code_tree, told.script.entry_script, told.script.lock) == (CODE, "src/score.py", LOCK)
    assert told.model is not None
    assert (told.model.tree, told.model.onnx_file) == (TREE, None)


def test_keys_without_effect_are_reported() -> None:
    spec = {"model": "azureml:line:3", "instance_type": "Standard_DS3_v2", "app_insights_enabled": True}
    assert not_acted_upon(spec, OnlineDeployment) == ["app_insights_enabled", "instance_type"]


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"model": "azureml:line:3", "instance_cuont": 2}, "instance_cuont"),
        ({"model": "azureml:line:3", "instance_count": 0}, "instance_count"),
        ({"model": "azureml:line:3", "resources": {"requests": {"cpu": "lots"}}}, "resources.requests.cpu"),
        (SCRIPT | {"environment": None}, "environment"),
        (SCRIPT | {"code_configuration": {"code": "./src", "scoring_script": "score.py"}}, "code_configuration.code"),
        ({"environment": {"image": "nginx"}}, "model"),
    ],
)
def test_a_spec_that_cannot_be_deployed_names_the_key(spec: dict[str, Any], path: str) -> None:
    with pytest.raises(PlatformError) as caught:
        read_deployment(spec)
    assert (caught.value.kind, caught.value.members["path"]) == ("invalid", path)


def test_mirroring_is_refused() -> None:
    with pytest.raises(FieldInvalidError, match="mirror_traffic"):
        read_endpoint({"name": "flights", "mirror_traffic": {"green": 10}})


def test_where_the_onnx_form_is() -> None:
    signature = {"layout": "columns", "columns": ["x"]}
    conversion = {"status": "converted", "tree": "b" * 64, "manifest": "f" * 64, "signature": signature}
    converted = ModelVersion(
        scope="default", name="m", version="1", tree=TREE, files=("model.pkl",), conversion=conversion
    )
    assert onnx_of(VERSION) == Onnx(TREE, "model.onnx", SUBJECT, SIGNED)
    its_own = Onnx("b" * 64, "model.onnx", "default/models/m/versions/1/conversion", "f" * 64)
    assert onnx_of(converted) == its_own, "its inputs are named already, and it is signed for itself"
    assert onnx_of(ModelVersion(scope="default", name="m", version="1", tree=TREE, files=("model.pkl",))) is None, (
        "it may still come"
    )
    several = ModelVersion(scope="default", name="m", version="1", tree=TREE, files=("a.onnx", "b/model.onnx"))
    assert onnx_of(several) == Onnx(TREE, "b/model.onnx", "default/models/m/versions/1")


def test_a_live_plan_is_held_against_what_its_model_is_signed_as_now() -> None:
    old = {"model": {"tree": TREE, "subject": "models/line/versions/3", "manifest": "0" * 64}, "num_replicas": 1}
    signed = old | {"model": {"tree": TREE, "subject": SUBJECT, "manifest": SIGNED}}
    assert as_signed_now(old, VERSION) == signed
    converted = replace(VERSION, tree="1" * 64, conversion={"tree": TREE, "manifest": SIGNED})
    assert as_signed_now(old, converted)["model"]["subject"] == f"{SUBJECT}/conversion"
    assert as_signed_now(old, replace(VERSION, tree="1" * 64)) == old, "other files"


@pytest.mark.parametrize(
    ("files", "conversion", "why"),
    [
        (("model.pkl",), {"status": "failed", "detail": "no converter for X"}, "no converter for X"),
        (("a.onnx", "b.onnx"), None, "none is model.onnx"),
    ],
)
def test_what_cannot_be_served_says_what_to_do(files: tuple[str, ...], conversion: Any, why: str) -> None:
    with pytest.raises(ModelNotServableError, match=why) as caught:
        onnx_of(ModelVersion(scope="default", name="m", version="1", tree=TREE, files=files, conversion=conversion))
    assert "code_configuration" in caught.value.detail
