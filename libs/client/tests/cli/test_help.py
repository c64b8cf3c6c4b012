import argparse
import subprocess
import sys
from importlib import import_module

import pytest

from modelyard.cli import _COMMANDS, main


def commands() -> list[list[str]]:
    """Every command of every group."""
    found = []
    for module, names in _COMMANDS.items():
        groups = argparse.ArgumentParser().add_subparsers()
        import_module(f"modelyard.cli.{module}").register(groups)
        assert tuple(groups.choices) == names
        for name, group in groups.choices.items():
            verbs = [action for action in group._actions if isinstance(action, argparse._SubParsersAction)]
            found += [[name, verb] for action in verbs for verb in action.choices] or [[name]]
    return found


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in [[], *commands()]:
        with pytest.raises(SystemExit) as exit_:
            main([*command, "--help"])
        assert exit_.value.code == 0
        said = capsys.readouterr().out
        if command[:1] not in (["up"], ["down"], ["status"], ["logs"]):
            assert "example:\n  modelyard" in said, command


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
    "arguments", [[], ["model"], ["model", "shw"], ["job", "create"], ["token", "list", "-o", "xml"]]
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
