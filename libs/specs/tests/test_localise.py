"""What leaves the client, and what is refused when it arrives."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from modelyard_specs import SpecError, load, load_mapping, localise, require_submittable

FIXTURES = Path(__file__).parent / "fixtures"
SPECS = sorted(str(p.relative_to(FIXTURES)) for p in FIXTURES.glob("*/*.[yY]*") if p.name != "conda.yml")


def _digest(path: Path) -> str:
    return sha256(str(path.relative_to(FIXTURES)).encode()).hexdigest()


def _tree(name: str) -> str:
    return f"modelyard://trees/{_digest(FIXTURES / name)}"


def _localise(name: str) -> dict[str, Any]:
    spec = localise(load(FIXTURES / name), tree=_digest)
    assert json.loads(json.dumps(spec)) == spec
    return spec


def test_a_command_job() -> None:
    spec = _localise("pipeline/command.yml")
    assert spec["code"] == _tree("pipeline/src")
    assert spec["inputs"]["rows"] == {"type": "uri_file", "path": _tree("data/rows.csv"), "mode": "ro_mount"}
    assert spec["inputs"]["learning_rate"] == 0.001


def test_a_pipeline_takes_its_component_and_conda_files_in() -> None:
    spec = _localise("pipeline/pipeline.yml")
    component = spec["jobs"]["train-job"]["component"]
    assert component["code"] == _tree("pipeline/src")
    assert component["environment"]["conda_file"]["dependencies"][0] == "python=3.11"
    assert spec["jobs"]["register-job"]["component"] == "azureml:register_model:3"
    assert spec["inputs"]["raw"]["path"] == _tree("data")


def test_paths_are_relative_to_the_file_that_holds_them() -> None:
    spec = _localise("schedules/nightly.yml")
    job = spec["create_job"]["job"]
    assert job["jobs"]["train-job"]["component"]["code"] == _tree("pipeline/src")
    assert spec["create_job"]["inputs"] == {"rate": 0.1}
    assert _localise("schedules/retrain.yml")["create_job"]["type"] == "pipeline"


def test_models_deployments_and_build_contexts() -> None:
    assert _localise("assets/model.yml")["path"] == _tree("assets/model")
    assert _localise("assets/build.yml")["build"]["path"] == _tree("assets/src")
    blue = _localise("online/blue.yml")
    assert blue["model"]["path"] == _tree("online/model")
    assert blue["code_configuration"] == {"code": _tree("online/scoring"), "scoring_script": "score.py"}
    assert blue["environment"]["conda_file"]["name"] == "train"


def test_each_path_is_uploaded_once() -> None:
    seen: list[Path] = []

    def tree(path: Path) -> str:
        seen.append(path)
        return _digest(path)

    localise(load(FIXTURES / "pipeline/pipeline.yml"), tree=tree)
    assert sorted(path.name for path in seen) == ["data", "src"]


REFUSED = {"pipeline/sweep_node.yml", "schedules/monitor.yml"}  # a sweep, a feature attribution signal


@pytest.mark.parametrize("name", [name for name in SPECS if name not in REFUSED])
def test_what_left_the_client_is_accepted_by_a_service(name: str) -> None:
    sent = _localise(name)
    received = load_mapping(json.loads(json.dumps(sent)))
    require_submittable(received)
    assert received.spec() == sent


def test_nothing_is_uploaded_when_a_path_is_missing(tmp_path: Path) -> None:
    (tmp_path / "scr").mkdir()
    (tmp_path / "job.yml").write_text(
        "command: ls\ncode: scr\nenvironment:\n  conda_file: cnda.yml\ninputs:\n  x: {path: nothing}\n"
    )
    calls: list[Path] = []
    with pytest.raises(SpecError) as caught:
        localise(load(tmp_path / "job.yml"), tree=lambda path: calls.append(path) or "0" * 64)  # type: ignore[func-returns-value]  # append gives None, on purpose
    assert [(p.path, p.line, p.code) for p in caught.value.problems] == [
        ("environment.conda_file", 4, "missing_file"),
        ("inputs.x.path", 6, "missing_file"),
    ]
    assert calls == []


def test_a_conda_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("numpy\n")
    (tmp_path / "env.yml").write_text("name: e\nconda_file: requirements.txt\n")
    with pytest.raises(SpecError, match=r"env\.yml:2:13: conda_file: .*requirements\.txt is no conda file"):
        localise(load(tmp_path / "env.yml"), tree=_digest)


UNSUPPORTED = [
    ("type: automl\ntask: classification\n", "type", "`type: automl`"),
    ("type: pipeline\njobs:\n  a: {type: spark, entry: {file: x.py}}\n", "jobs.a.type", "`type: spark`"),
    (
        "type: pipeline\njobs:\n  a:\n    component: {type: pipeline, jobs: {b: {command: ls, environment: azureml:a:1}}}\n",
        "jobs.a.component",
        "pipeline components",
    ),
    (
        "type: pipeline\njobs:\n  a:\n    component: {type: spark, entry: {file: x.py}}\n",
        "jobs.a.component.type",
        "`type: spark`",
    ),
    ("type: pipeline\ncomponent: azureml:p:1\n", "component", "pipeline components"),
    (
        "type: pipeline\njobs:\n  a: {type: pipeline, component: azureml:p:1}\n",
        "jobs.a.type",
        "`type: pipeline`",
    ),
    (
        (
            "type: sweep\ntrial: {command: ls, environment: azureml:a:1}\nlimits: {max_total_trials: 2}\n"
            "objective: {goal: maximize, primary_metric: auc}\n"
        ),
        "",
        "sweep jobs",
    ),
    ("command: ls\nenvironment: azureml:a:1\ndistribution: {type: pytorch}\n", "distribution", "distributed"),
    (
        "command: ls\nenvironment: azureml:a:1\nresources: {instance_count: 2}\n",
        "resources.instance_count",
        "more than one instance",
    ),
    (
        "name: s\ntrigger: {type: cron, expression: 0 * * * *}\ncreate_job: azureml:nightly-job\n",
        "create_job",
        "named instead of given",
    ),
    ("name: flights\nauth_mode: aml_token\n", "auth_mode", "`aml_token`"),
]


@pytest.mark.parametrize(("text", "path", "message"), UNSUPPORTED, ids=[case[1] for case in UNSUPPORTED])
def test_what_cannot_run_parses_and_is_refused_at_submission(
    tmp_path: Path, text: str, path: str, message: str
) -> None:
    (tmp_path / "x.yml").write_text(text)
    document = load(tmp_path / "x.yml")
    with pytest.raises(SpecError) as caught:
        require_submittable(document)
    (problem,) = caught.value.problems
    assert (problem.path, problem.code) == (path, "unsupported")
    assert message in problem.message
    assert problem.line is not None


def test_a_service_refuses_local_paths() -> None:
    document = load_mapping({"command": "ls", "environment": "azureml:a:1", "code": "./src"})
    with pytest.raises(SpecError, match=r"code: `\./src` is a local path"):
        require_submittable(document)
