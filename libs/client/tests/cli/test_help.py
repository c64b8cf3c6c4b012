import argparse
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from modelyard.cli import _COMMANDS, main, read
from modelyard.cli.azure import accept

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

COUNTED = {
    "model": "show create list package archive share",
    "online-deployment": "create show get-logs update delete",
    "online-endpoint": "delete create invoke show update get-credentials",
    "job": "stream create show download list update",
    "compute": "create show update attach",
    "batch-endpoint": "invoke create delete show update",
    "batch-deployment": "create show list-jobs delete",
    "workspace": "show",
    "component": "show create",
    "data": "create",
    "environment": "create show",
    "schedule": "create show list update disable enable delete",
}
FLAGS = (
    "--name --query -n -o --registry-name --set --file -f --yes --label --request-file --all-traffic --input --web --input-type "
    "--traffic --set-default --no-wait --local --output-name --mirror-traffic --skip-script-validation --endpoint --f "
    "-g --resource-group -w --workspace-name --subscription --only-show-errors --debug --verbose"
)


def parsers() -> dict[tuple[str, ...], argparse.ArgumentParser]:
    """Every group, and every command of every group."""
    found: dict[tuple[str, ...], argparse.ArgumentParser] = {}
    for module, names in _COMMANDS.items():
        groups = argparse.ArgumentParser().add_subparsers()
        import_module(f"modelyard.cli.{module}").register(groups)
        accept(groups)
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


def lines(name: str) -> list[list[str]]:
    """Calls as they are in scripts, without `az ml`."""
    calls = [shlex.split(line) for line in (Path(__file__).parent / name).read_text().splitlines()]
    return [call[2:] if call[1] == "ml" else call[1:] for call in calls]


@pytest.mark.parametrize("arguments", lines("az_lines.txt"), ids=" ".join)
def test_lines_of_az_scripts_are_understood(arguments: list[str]) -> None:
    options = read(arguments)
    assert callable(options.run)
    assert not getattr(options, "takes_any", False)


@pytest.mark.parametrize("arguments", lines("az_lines_refused.txt"), ids=" ".join)
def test_lines_of_az_scripts_that_ask_for_what_is_not_there_are_told_why(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))  # nobody is asked
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err) > 40
    assert said.err.count("\n") == 1


def test_the_lines_have_what_scripts_use() -> None:
    """Verbs and flags as they were counted in public scripts."""
    used = [*lines("az_lines.txt"), *lines("az_lines_refused.txt")]
    assert {(group, verb) for group, verbs in COUNTED.items() for verb in verbs.split()} <= {
        (a, b) for a, b, *_ in used
    }
    assert set(FLAGS.split()) <= {word for line in used for word in line}


def test_a_flag_that_nobody_knows_is_refused() -> None:
    """So that the lines above fail when a flag is lost."""
    with pytest.raises(SystemExit) as exit_:
        read(["compute", "create", "-n", "cpu", "--no-such-flag"])
    assert exit_.value.code == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("batch-endpoint invoke -n e --input x --request-file y", "batch scoring is not supported yet"),
        ("batch-deployment list-jobs -n d", "batch scoring is not supported yet"),
        ("compute start -n c", "nothing runs on a compute here"),
        ("datastore mount --datastore d", "`data download` brings them here"),
        ("serverless-endpoint create -f c.yml", "deploy a model of your own"),
        ("model package -n m -v 1 -f p.yml", "packaged when it is made"),
        ("job create -f j.yml --save-as x.yml", "print it with `-o yaml`"),
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
        ["job", "list", "--all-results", "maybe"],
        ["model", "explain", "-n", "m", "--loader", "loading"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
