"""Cache keys, compiled plans, names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services.scheduler.tests.support import ENVIRONMENT, command, pipeline

from modelyard_contracts.work import StepInput
from modelyard_platform.errors import InvalidError
from modelyard_specs import SpecError, load_mapping
from modelyard_specs.kinds.jobs import CommandJob, PipelineJob
from scheduler.domain import names
from scheduler.domain.compiling import compile_job
from scheduler.domain.plans import STEP_PLAN, Files, FromStep, JobPlan, StepPlan, Value, cache_key, gather

TREE = "a" * 64
OTHER = "b" * 64


def compiled(spec: dict[str, Any], job: str = "job") -> JobPlan:
    model = load_mapping(spec, group="job").model
    assert isinstance(model, CommandJob | PipelineJob)
    return compile_job(model, job)


PLAN = StepPlan(
    name="s", command="c", code=TREE, outputs={"o": "uri_folder"}, environment_variables={"A": "1"},
    inputs={"i": Files(type="uri_file", tree=TREE)},
)  # fmt: skip
INPUTS = {"i": StepInput(type="uri_file", tree=TREE), "n": StepInput(type="number", value="1")}


def test_the_cache_key_holds_everything_that_decides_the_outputs() -> None:
    key = cache_key(PLAN, "lock", INPUTS)
    others = [
        cache_key(replace(PLAN, command="d"), "lock", INPUTS),
        cache_key(replace(PLAN, code=OTHER), "lock", INPUTS),
        cache_key(replace(PLAN, outputs={"p": "uri_folder"}), "lock", INPUTS),
        cache_key(replace(PLAN, outputs={"o": "uri_file"}), "lock", INPUTS),
        cache_key(replace(PLAN, environment_variables={"A": "2"}), "lock", INPUTS),
        cache_key(PLAN, "other", INPUTS),
        cache_key(PLAN, None, INPUTS),
        cache_key(PLAN, "lock", INPUTS | {"i": StepInput(type="uri_file", tree=OTHER)}),
        cache_key(PLAN, "lock", INPUTS | {"i": StepInput(type="uri_file", tree=TREE, path="a.csv")}),
        cache_key(PLAN, "lock", INPUTS | {"n": StepInput(type="number", value="2")}),
    ]
    assert len({key, *others}) == len(others) + 1


def test_the_cache_key_holds_nothing_else() -> None:
    key = cache_key(PLAN, "lock", INPUTS)
    assert cache_key(replace(PLAN, name="t", display_name="T", timeout_s=1.0), "lock", INPUTS) == key
    assert cache_key(PLAN, "lock", dict(reversed(INPUTS.items()))) == key


TEXT = st.text("abcxyz_-", min_size=1, max_size=8)
BINDINGS = st.one_of(
    st.builds(Value, type=st.sampled_from(["string", "number"]), value=TEXT),
    st.builds(Files, type=st.just("uri_folder"), tree=st.just(TREE), path=TEXT),
    st.builds(FromStep, type=st.just("mlflow_model"), step=TEXT, output=TEXT),
)


@given(st.builds(
    StepPlan, name=TEXT, command=TEXT, environment=st.one_of(st.none(), TEXT, st.just(ENVIRONMENT)), display_name=st.none(),
    code=st.none(), inputs=st.dictionaries(TEXT, BINDINGS, max_size=4), outputs=st.dictionaries(TEXT, st.just("uri_file")),
    environment_variables=st.dictionaries(TEXT, TEXT), timeout_s=st.floats(1, 1e6), deterministic=st.booleans(),
))  # fmt: skip
def test_a_plan_survives_its_storage(plan: StepPlan) -> None:
    assert STEP_PLAN.validate_python(STEP_PLAN.dump_python(plan, mode="json")) == plan


def test_outputs_of_steps_are_filled_in() -> None:
    plan = replace(
        PLAN, inputs={"x": FromStep(type="uri_folder", step="a", output="b"), "y": Value(type="integer", value="3")}
    )
    assert plan.needs == ("a",)
    assert gather(plan, {"a": {"b": OTHER}}) == {
        "x": StepInput(type="uri_folder", tree=OTHER),
        "y": StepInput(type="integer", value="3"),
    }


def test_a_command_job_becomes_one_step() -> None:
    spec = command(
        "run ${{inputs.rate}} ${{inputs.on}} ${{inputs.d}} $[[--top ${{inputs.top}}]] ${{outputs.o}} ${{name}}",
        inputs={
            "rate": {"type": "number", "value": 0.5},
            "on": True,
            "d": {"type": "uri_file", "path": f"modelyard://trees/{TREE}/a.csv"},
            "top": {"type": "integer", "optional": True},
        },
        outputs={"o": {"type": "mlflow_model", "name": "m", "version": "3"}},
        code=f"modelyard://trees/{OTHER}",
        environment_variables={"A": 1},
        limits={"timeout": 60},
    )
    plan = compiled(spec, "brave_otter")
    [step] = plan.steps
    assert step.command == "run 0.5 True ${{inputs.d}}  ${{outputs.o}} brave_otter"
    assert step.inputs["d"] == Files(type="uri_file", tree=TREE, path="a.csv")
    assert (step.code, step.timeout_s, step.environment_variables) == (OTHER, 60.0, {"A": "1"})
    assert step.environment == ENVIRONMENT
    [asset] = plan.assets
    assert (asset.output, asset.collection, asset.name, asset.version) == ("o", "models", "m", "3")


def test_a_pipeline_is_bound() -> None:
    spec = pipeline(f"modelyard://trees/{TREE}")
    spec["jobs"]["train"]["inputs"]["twice"] = "${{parent.inputs.rate}}-${{parent.inputs.rate}}"
    spec["jobs"]["train"]["outputs"]["report"] = {"type": "uri_file", "name": "report"}
    plan = compiled(spec)
    prep, train = plan.steps
    assert prep.inputs == {"raw": Files(type="uri_file", tree=TREE)}
    assert train.inputs["clean"] == FromStep(type="uri_folder", step="prep", output="clean")
    assert train.inputs["rate"] == Value(type="number", value="0.1")
    assert train.inputs["twice"] == Value(type="string", value="0.1-0.1")
    assert train.needs == ("prep",)
    assert plan.outputs["model"].type == "custom_model"
    assert {(asset.output, asset.name, asset.collection) for asset in plan.assets} == {
        ("model", "delay", "models"),
        ("train.report", "report", "data"),
    }


def component(**inputs: Any) -> dict[str, Any]:
    return {
        "type": "command",
        "command": "c ${{inputs.n}} $[[--m ${{inputs.m}}]] ${{outputs.o}}",
        "environment": ENVIRONMENT,
        "is_deterministic": False,
        "environment_variables": {"A": "component", "B": "component"},
        "inputs": {"n": {"type": "integer", "default": 4}, "m": {"type": "string", "optional": True}, **inputs},
        "outputs": {"o": {"type": "uri_file"}},
    }


def test_a_component_gives_defaults_and_the_step_goes_over_it() -> None:
    step = {"component": component(), "inputs": {"m": "${{parent.inputs.m}}"}, "environment_variables": {"A": "step"}}
    spec = {"type": "pipeline", "inputs": {"m": {"type": "string", "optional": True}}, "jobs": {"a": step}}
    [plan] = compiled(spec).steps
    assert plan.command == "c 4  ${{outputs.o}}"
    assert plan.environment_variables == {"A": "step", "B": "component"}
    assert plan.outputs == {"o": "uri_file"}
    assert not plan.deterministic


def test_a_required_input_bound_to_nothing_is_a_problem() -> None:
    step = {"component": component(k={"type": "string"}), "inputs": {"k": "${{parent.inputs.k}}"}}
    spec = {"type": "pipeline", "inputs": {"k": {"type": "string", "optional": True}}, "jobs": {"a": step}}
    with pytest.raises(SpecError) as caught:
        compiled(spec)
    assert caught.value.problems[0].path == "jobs.a.inputs.k"


def test_names_are_new_and_fit() -> None:
    made = {names.generate() for _ in range(200)}
    assert len(made) == 200
    assert all(names.check(name) == name for name in made)
    for wrong in ("", "a.b", "a/b", "-a", "a" * 101, "a b"):
        with pytest.raises(InvalidError):
            names.check(wrong)
