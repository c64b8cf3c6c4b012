import argparse
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

from modelyard.cli import _COMMANDS, main, read

AZ: dict[str, set[str]] = {
    "model": {"create", "show", "list", "update", "archive", "restore", "download", "share", "package"},
    "data": {"create", "show", "list", "update", "archive", "restore", "share"},
    "environment": {"create", "show", "list", "update", "archive", "restore", "share"},
    "component": {"create", "show", "list", "update", "archive", "restore"},
    "job": {
        "create",
        "show",
        "list",
        "stream",
        "download",
        "cancel",
        "update",
        "archive",
        "restore",
        "validate",
        "show-services",
    },
    "online-endpoint": {"create", "show", "list", "update", "delete", "invoke", "get-credentials", "regenerate-keys"},
    "online-deployment": {"create", "show", "list", "update", "delete", "get-logs"},
    "batch-endpoint": {"create", "show", "list", "update", "delete", "invoke", "list-jobs"},
    "batch-deployment": {"create", "show", "list", "update", "delete", "list-jobs"},
    "schedule": {"create", "show", "list", "update", "enable", "disable", "delete"},
    "compute": {"create", "show", "list", "update", "delete", "attach", "start", "stop", "restart"},
    "datastore": {"create", "show", "list", "update", "delete"},
    "connection": {"create", "show", "list", "update", "delete"},
    "workspace": {"create", "show", "list", "update", "delete"},
    "registry": {"create", "show", "list", "update", "delete"},
}
"""What `az ml` has of each group that scripts use."""


def parsers() -> dict[tuple[str, ...], argparse.ArgumentParser]:
    """Every group, and every command of every group."""
    found: dict[tuple[str, ...], argparse.ArgumentParser] = {}
    for module, names in _COMMANDS.items():
        groups = argparse.ArgumentParser().add_subparsers()
        import_module(f"modelyard.cli.{module}").register(groups)
        assert tuple(groups.choices) == names
        for name, group in groups.choices.items():
            found[name,] = group
            for action in group._actions:
                if isinstance(action, argparse._SubParsersAction):
                    found |= {(name, verb): command for verb, command in action.choices.items()}
    return found


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in [(), *parsers()]:
        with pytest.raises(SystemExit) as exit_:
            main([*command, "--help"])
        assert exit_.value.code == 0
        said = capsys.readouterr().out
        if command[:1] not in {("up",), ("down",), ("status",), ("logs",)}:
            assert "example:\n  modelyard" in said, command


def test_every_example_is_understood() -> None:
    examples = [line for one in parsers().values() for line in (one.epilog or "").splitlines()[1:]]
    assert len(examples) > 100
    for example in examples:
        program, *arguments = shlex.split(example.partition(">>")[0])
        assert program == "modelyard"
        if "--help" not in arguments:
            assert callable(read(arguments).run)


def test_scripts_for_az_find_every_group_and_verb() -> None:
    there = set(parsers())
    assert {(group, verb) for group, verbs in AZ.items() for verb in verbs} <= there


@pytest.mark.parametrize(
    "line",
    [
        "model create --n m --f model.yml --set tags.a=b version=2 --set path=x -g rg -w ws --registry-name company",
        "model show -n m -l latest --registry azureml --query id -o tsv",
        "model update --name m --version 1 --set tags.a=b --add tags c=d --remove tags.e --stage Production",
        "job create --file job.yml --stream --set inputs.a=1 --web --query name -o tsv",
        "job download -n j --output-name model --download-path . --all",
        "online-endpoint update --name e --traffic 'blue=90 green=10' --mirror-traffic green=10",
        "online-endpoint invoke --name e --request-file r.json --deployment blue",
        "online-deployment create --name blue --endpoint e -f blue.yml --all-traffic --skip-script-validation --no-wait",
        "online-deployment get-logs -n blue --endpoint-name e --lines 100",
        "online-deployment update -n blue -e e --set instance_count=2",
        "batch-endpoint invoke -n e --input azureml:x:1 --input-type uri_folder --set a=b --query name -o tsv",
        "batch-deployment create -f d.yml --endpoint-name e --set-default",
        "compute create -n cpu --type amlcompute --min-instances 0 --max-instances 8",
        "schedule update -n s --set trigger.interval=2 --no-wait",
        "model list -n m --max-results 5 --search 'TagName=TagValue' --all-versions --sort=-created_at",
    ],
)
def test_lines_of_az_scripts_are_understood(line: str) -> None:
    assert callable(read(shlex.split(line)).run)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("batch-endpoint invoke -n e --input x --request-file y", "batch scoring is not supported yet"),
        ("batch-deployment list-jobs -n d", "batch scoring is not supported yet"),
        ("compute create -f c.yml", "none has to be made"),
        ("datastore show --name d", "datastores are not supported yet"),
        ("connection create -f c.yml", "connections are not supported yet"),
        ("model package -n m -v 1 -f p.yml", "packaged when it is made"),
        ("job update -n j --set tags.a=b", "stays as it was submitted"),
        ("workspace update -n w --set description=x", "no settings"),
        ("online-endpoint create -n e --local", "--local: "),
        ("online-deployment create -f d.yml --local --vscode-debug", "--local: "),
    ],
)
def test_what_is_not_there_is_refused_with_a_reason(line: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(line)) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err
    assert captured.err.count("\n") == 1


def test_help_comes_without_the_heavy_imports() -> None:
    heavy = ["httpx", "pydantic", "modelyard_specs", "modelyard.client", "rich", "yaml", "psutil", "minio"]
    program = (
        "import sys, contextlib\nfrom modelyard.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["compute"],
        ["schedule", "enable"],
        ["model"],
        ["model", "shw"],
        ["job", "create"],
        ["token", "list", "-o", "xml"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
