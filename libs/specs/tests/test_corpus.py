"""Files as users have them: what becomes of each is written down in `corpus/expected.txt`."""

import json
from pathlib import Path
from typing import get_args

import pytest

from modelyard_specs import Group, Kind, Verdict, load, load_mapping, survey, survey_paths
from modelyard_specs.kinds import CLASSES

CORPUS = Path(__file__).parent / "corpus"
EXPECTED = [tuple(line.split()) for line in (CORPUS / "expected.txt").read_text().splitlines()]
READ = [path for status, _, path in EXPECTED if status in {"ok", "unsupported"} and path != "resources/feature-set.yml"]


def test_every_file_has_an_expectation_and_there_are_all_kinds() -> None:
    found = [Path(verdict.path).relative_to(CORPUS).as_posix() for verdict in survey_paths([CORPUS])]
    assert found == [path for _, _, path in EXPECTED]
    own = {"trigger", "subscription"}
    assert {kind for _, kind, _ in EXPECTED} >= set(CLASSES) - own


@pytest.mark.parametrize(("status", "kind", "path"), EXPECTED, ids=[path for _, _, path in EXPECTED])
def test_what_becomes_of_a_file(status: str, kind: str, path: str) -> None:
    verdict = survey(CORPUS / path)
    assert (verdict.status, (verdict.kind or "-").replace(" ", "_")) == (status, kind), verdict.detail
    assert status == "ok" or verdict.detail
    assert "\n" not in verdict.detail


@pytest.mark.parametrize("path", READ)
def test_a_file_that_is_read_survives_json(path: str) -> None:
    document = load(CORPUS / path)
    again = load_mapping(json.loads(json.dumps(document.spec())), group=_group(document.kind))
    assert again.spec() == document.spec()


def _group(kind: Kind) -> Group:
    groups = {name.replace("-", "_"): name for name in get_args(Group)}
    found: Group = groups.get(kind) or groups[kind.rpartition("_")[2]]
    return found


DETAILS = [
    ("jobs/template.yml", "3:22: this file is a template: {{ENVIRONMENT_NAME}} is not filled in"),
    ("jobs/image-typo.yml", "3:3: environment.iamge: unknown key `iamge`; did you mean `image`?"),
    ("pipelines/step-typo.yml", "did you mean `default_datastore`?"),
    ("pipelines/missing-component.yml", "did you mean `train.yml`?"),
    ("pipelines/plain-text-path.yml", "7:7: jobs.train.inputs.unknown_one: the component has no input `unknown_one`"),
    ("pipelines/component-files.yml", "uri_folder is given where the component takes mltable"),
    ("cyclic/a.yml", "the files name one another: a.yml → b.yml → a.yml"),
    ("other-jobs/unknown-type.yml", "1:7: type: `qantum` is not valid; expected one of"),
    ("others/k8s.yaml", "this is a Kubernetes manifest, not a specification"),
    ("others/unknown.yml", "the kind cannot be told; expected `$schema` or `type`"),
    ("assets/environments/missing-context.yml", "did you mean `context`?"),
    ("assets/data/not-yet-there.yml", "made-by-a-script does not exist"),
    ("sweeps/unknown-space.yml", "there is no `learning_rate` of the search space; expected one of rate"),
]


@pytest.mark.parametrize(("path", "detail"), DETAILS, ids=[path for path, _ in DETAILS])
def test_the_detail_says_what_where_and_what_would_be_right(path: str, detail: str) -> None:
    assert detail in survey(CORPUS / path).detail


def test_a_secret_is_in_no_verdict(tmp_path: Path) -> None:
    text = "name: d\ntype: azure_blob\naccount_name: a\ncredentials: hunter2\n"
    (tmp_path / "d.yml").write_text(text)
    verdict = survey(tmp_path / "d.yml")
    assert verdict.status == "error"
    assert "hunter2" not in verdict.detail


def test_json_has_these_keys() -> None:
    verdict = survey(CORPUS / "jobs/services-identity-limits.yml")
    assert verdict.as_json() == {
        "path": str(CORPUS / "jobs/services-identity-limits.yml"),
        "kind": "command_job",
        "name": None,
        "status": "ok",
        "detail": "",
        "ignored_keys": ["resources.instance_type", "identity", "services", "queue_settings"],
    }


def test_folders_are_walked_in_order_and_links_lead_nowhere_outside(tmp_path: Path) -> None:
    inside, outside = tmp_path / "specs", tmp_path / "outside"
    for name in ("b/two.YAML", "a/one.yml", "a/three.Yml", "a/not.txt", ".git/config.yml"):
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_text("command: ls\nenvironment: azureml:e:1\n")
    outside.mkdir()
    (outside / "x.yml").write_text("command: ls\nenvironment: azureml:e:1\n")
    (inside / "c").symlink_to(outside, target_is_directory=True)
    (inside / "d.yml").symlink_to(outside / "x.yml")
    (inside / "e.yml").symlink_to(inside / "a/one.yml")
    (inside / "loop").symlink_to(inside, target_is_directory=True)
    found = [Path(v.path).relative_to(inside).as_posix() for v in survey_paths([inside])]
    assert found == ["e.yml", "a/one.yml", "a/three.Yml", "b/two.YAML"]


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    (verdict,) = survey_paths([tmp_path / "none.yml"])
    assert verdict == Verdict(str(tmp_path / "none.yml"), None, None, "error", "No such file or directory",
                              problems=verdict.problems)  # fmt: skip
