"""Bad files: the message says what, where and what would be right."""

from pathlib import Path

import pytest

from modelyard_specs import SpecError, load, load_mapping


def _problems(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "spec.yml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        load(path)
    return [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]


PIPELINE = """\
type: pipeline
inputs:
  data: {type: uri_folder, path: azureml:x:1}
  rate: fast
outputs:
  model: {type: custom_model}
jobs:
"""

COMPONENT = """\
    component:
      command: run ${{inputs.data}} $[[${{inputs.rate}}]] ${{outputs.model}}
      environment: azureml:e:1
      inputs:
        data: {type: uri_folder}
        rate: {type: number, optional: true, min: 0, max: 1}
      outputs:
        model: {type: custom_model}
"""

BAD = [
    (
        "an unknown key, and the one it was meant to be",
        "command: ls\nenvironment: azureml:a:1\nenvironment_variable:\n  A: 1\n",
        ["3:1: environment_variable: unknown key `environment_variable`; did you mean `environment_variables`?"],
    ),
    (
        "an unknown key deep down",
        "type: pipeline\nsettings:\n  default_datestore: azureml:x\njobs:\n  a: {command: ls, environment: azureml:a:1}\n",
        [
            (
                "3:3: settings.default_datestore: unknown key `default_datestore`; expected one of continue_on_step_failure, "
                "default_compute, default_datastore, force_rerun; did you mean `default_datastore`?"
            )
        ],
    ),
    (
        "a missing key",
        "command: ls\n",
        ["1:1: environment: `environment` is missing"],
    ),
    (
        "wrong types, several at once",
        "command: [ls]\nenvironment: azureml:a:1\nlimits:\n  timeout: soon\nresources: 3\n",
        [
            "1:10: command: a list is not valid here; expected text",
            "4:12: limits.timeout: the text `soon` is not valid here; expected a whole number",
            "5:12: resources: `3` is not valid here; expected a mapping",
        ],
    ),
    (
        "a value out of the list",
        "command: ls\nenvironment: azureml:a:1\ninputs:\n  a: {type: uri_foldr, path: azureml:x:1}\n",
        [
            (
                "4:13: inputs.a.type: `uri_foldr` is not valid; expected one of uri_file, uri_folder, mltable, custom_model, "
                "mlflow_model, triton_model, string, integer, number, boolean; did you mean `uri_folder`?"
            )
        ],
    ),
    (
        "a value out of range",
        "name: blue\nendpoint_name: flights\nmodel: azureml:m:1\ninstance_type: x\ninstance_count: -1\n",
        ["5:17: instance_count: `-1` is out of range; expected at least 0"],
    ),
    (
        "an input that is a list",
        "command: ls\nenvironment: azureml:a:1\ninputs:\n  a: [1]\n",
        ["4:6: inputs.a: a list is not valid here; expected text or a whole number or a number or true or false"],
    ),
    (
        "a malformed reference",
        "command: ls\nenvironment: azureml:a:1:2\n",
        ["2:14: environment: `azureml:a:1:2` is no asset: azureml:NAME:VERSION or azureml:NAME@LABEL"],
    ),
    (
        "a command's unknown input",
        "command: ls ${{inputs.dta}}\nenvironment: azureml:a:1\ninputs:\n  data: 1\n",
        [
            (
                "1:10: command: the command uses `${{inputs.dta}}`, and there is no input `dta`; expected one of data; "
                "did you mean `data`?"
            )
        ],
    ),
    (
        "no expression",
        "command: ls ${{input.data}}\nenvironment: azureml:a:1\n",
        [
            (
                "1:10: command: `${{input.data}}` is no expression: inputs.NAME, outputs.NAME, parent.inputs.NAME, "
                "parent.outputs.NAME, parent.jobs.STEP.outputs.NAME, search_space.NAME, event.subject, event.data.PATH, "
                "name or default_datastore"
            )
        ],
    ),
    (
        "bindings that lead nowhere",
        PIPELINE
        + "  one:\n    command: ls ${{inputs.a}} ${{inputs.b}} > ${{outputs.o}}\n    environment: azureml:e:1\n"
        + "    inputs:\n      a: ${{parent.inputs.dta}}\n      b: ${{parent.jobs.tow.outputs.o}}\n"
        + "    outputs:\n      o: ${{parent.outputs.modle}}\n"
        + "  two:\n    command: ls ${{inputs.a}}\n    environment: azureml:e:1\n"
        + "    inputs:\n      a: ${{parent.jobs.one.outputs.oo}}\n"
        + "    compute: ${{parent.inputs.rat}}\n",
        [
            (
                "12:10: jobs.one.inputs.a: `${{parent.inputs.dta}}`: there is no input `dta` of the pipeline; "
                "expected one of data, rate; did you mean `data`?"
            ),
            (
                "13:10: jobs.one.inputs.b: `${{parent.jobs.tow.outputs.o}}`: there is no step `tow`; "
                "expected one of one, two; did you mean `two`?"
            ),
            (
                "15:10: jobs.one.outputs.o: `${{parent.outputs.modle}}`: there is no output `modle` of the pipeline; "
                "expected one of model; did you mean `model`?"
            ),
            (
                "20:10: jobs.two.inputs.a: `${{parent.jobs.one.outputs.oo}}`: there is no output `oo` of step `one`; "
                "expected one of o; did you mean `o`?"
            ),
            (
                "21:14: jobs.two.compute: `${{parent.inputs.rat}}`: there is no input `rat` of the pipeline; "
                "expected one of data, rate; did you mean `rate`?"
            ),
        ],
    ),
    (
        "a cycle",
        PIPELINE
        + "".join(
            f"  {step}:\n    command: cp ${{{{inputs.i}}}} ${{{{outputs.o}}}}\n    environment: azureml:e:1\n"
            f"    inputs: {{i: '${{{{parent.jobs.{needed}.outputs.o}}}}'}}\n    outputs: {{o: }}\n"
            for step, needed in (("a", "c"), ("b", "a"), ("c", "b"))
        ),
        ["11:17: jobs.a.inputs.i: the steps wait for one another: a → c → b → a"],
    ),
    (
        "a step that waits for itself",
        PIPELINE
        + "  a:\n    command: cp ${{inputs.i}} ${{outputs.o}}\n    environment: azureml:e:1\n"
        + "    inputs: {i: '${{parent.jobs.a.outputs.o}}'}\n    outputs: {o: }\n",
        ["11:17: jobs.a.inputs.i: the steps wait for one another: a → a"],
    ),
    (
        "a component's inputs",
        PIPELINE
        + "  a:\n"
        + COMPONENT
        + "    inputs:\n      rate: 2\n    outputs:\n      modl:\n"
        + "  b:\n"
        + COMPONENT
        + "    inputs:\n      data: ${{parent.inputs.data}}\n      rate: ${{parent.inputs.rate}}\n"
        + "  c:\n"
        + COMPONENT
        + "    inputs:\n      data: 5\n      rate: ${{parent.jobs.b.outputs.model}}\n",
        [
            "18:7: jobs.a.inputs: the component's input `data` (uri_folder) is not given",
            (
                "18:13: jobs.a.inputs.rate: `2` does not fit the component's input; "
                "expected a number of at least 0 and at most 1"
            ),
            "20:7: jobs.a.outputs.modl: the component has no output `modl`; expected one of model; did you mean `model`?",
            "32:13: jobs.b.inputs.rate: the pipeline's `rate` is `fast`; expected a number",
            (
                "43:13: jobs.c.inputs.data: `5` does not fit the component's input; "
                "expected a mapping with `type: uri_folder` and `path`"
            ),
            "44:13: jobs.c.inputs.rate: custom_model is given where the component takes number",
        ],
    ),
    (
        "a component's default",
        (
            "version: 1\ncommand: ls ${{inputs.n}}\nenvironment: azureml:e:1\n"
            "inputs:\n  n: {type: integer, default: many}\n"
        ),
        ["5:31: inputs.n.default: the default `many` does not fit; expected a whole number"],
    ),
    (
        "names that nothing could refer to",
        (
            "type: pipeline\nname: a.b\njobs:\n  my step:\n    command: ls\n    environment: azureml:e:1\n"
            "    outputs:\n      o: {name: a/b}\n"
        ),
        [
            "2:7: name: `a.b` is not valid; expected text like ^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$",
            "4:3: jobs.my step: `my step` is not valid; expected text like ^[A-Za-z_][A-Za-z0-9_-]{0,99}$",
            (
                "8:17: jobs.my step.outputs.o.name: `a/b` is not valid; "
                "expected text like ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}$"
            ),
        ],
    ),
    (
        "traffic that is not whole",
        "name: flights\nauth_mode: key\ntraffic: {blue: 90, green: 20}\n",
        ["1:1: the traffic adds up to 110, not to 0 or 100"],
    ),
    (
        "a trigger's inputs",
        "type: trigger\nname: t\non: {type: drift}\ncreate_job: {command: ls, environment: azureml:a:1}\n",
        ["3:12: on.type: `drift` is not valid; expected text like ^[a-z][a-z_]*\\.[a-z][a-z_]*$"],
    ),
    (
        "a trigger's expressions and the job's inputs",
        (
            "type: trigger\nname: t\non: {type: drift.detected}\ncreate_job:\n  command: ls ${{inputs.x}}\n"
            "  environment: azureml:a:1\n  inputs: {x: 1}\ninputs:\n  x: ${{parent.inputs.y}}\n  z: 1\n"
        ),
        [
            "9:6: inputs.x: `${{parent.inputs.y}}` cannot stand here; expected event.subject or event.data.PATH",
            "10:3: inputs.z: the job has no input `z`; expected one of x",
        ],
    ),
    (
        "a component file that is not there",
        PIPELINE + "  a:\n    component: ./spce.yml\n",
        [
            (
                "9:16: jobs.a.component: {folder}/spce.yml does not exist; expected a path relative to the file that names it; "
                "did you mean `spec.yml`?"
            )
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_files(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert _problems(tmp_path, text) == [message.replace("{folder}", str(tmp_path)) for message in expected]


def test_a_problem_in_a_component_file_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "train.yml").write_text("command: ls\nenvironmnt: azureml:a:1\n")
    (tmp_path / "pipeline.yml").write_text("type: pipeline\njobs:\n  a:\n    component: train.yml\n")
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "pipeline.yml")
    assert {(p.file, p.line, p.suggestion) for p in caught.value.problems} == {
        (tmp_path / "train.yml", 1, None),
        (tmp_path / "train.yml", 2, "environment"),
    }


def test_a_mapping_has_paths_and_no_lines() -> None:
    with pytest.raises(SpecError) as caught:
        load_mapping({"type": "pipeline", "jobs": {"a": {"command": 1, "environment": "azureml:a:1"}}})
    (problem,) = caught.value.problems
    assert problem.as_json() == {
        "path": "jobs.a.command",
        "line": None,
        "column": None,
        "message": "`1` is not valid here",
        "expected": "text",
        "suggestion": None,
        "file": None,
        "code": "invalid",
    }


@pytest.mark.parametrize("value", ["", "null", "- a\n", "3"])
def test_a_document_that_is_no_mapping(tmp_path: Path, value: str) -> None:
    (tmp_path / "x.yml").write_text(value)
    with pytest.raises(SpecError) as caught:
        load(tmp_path / "x.yml")
    assert caught.value.code in {"empty", "other"}


def test_a_secret_is_in_no_message(tmp_path: Path) -> None:
    text = "type: webhook\nname: a\nurl: 'hunter2'\nsecret: 4242\nevents: [drift.detected]\n"
    assert "hunter2" not in str(_problems(tmp_path, text))
    assert "4242" not in str(_problems(tmp_path, text))
