"""`modelyard up | down | status | logs`: the embedded stack."""

import argparse
import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # these cost a tenth of a second that other commands need not pay
    from modelyard.stack import Layout

_FOLLOW_S: Final = 0.2
_NO_LOG: Final = 2


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = subparsers.add_parser("up", help="start a whole Modelyard on this machine", description=up_command.__doc__)
    up.add_argument("--detach", action="store_true", help="start in the background and return when all is ready")
    up.set_defaults(run=up_command)
    down = subparsers.add_parser("down", help="stop it", description=down_command.__doc__)
    down.set_defaults(run=down_command)
    status = subparsers.add_parser(
        "status", help="what runs, where, and since when", description=status_command.__doc__
    )
    status.add_argument(
        "-o", "--output", choices=("table", "json"), default="table", help="json is for scripts and holds secrets"
    )
    status.set_defaults(run=status_command)
    logs = subparsers.add_parser("logs", help="what the parts wrote", description=logs_command.__doc__)
    logs.add_argument("service", nargs="?", metavar="SERVICE", help="one part only; all when left out")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until Ctrl-C")
    logs.add_argument(
        "-n", "--lines", type=_count, default=100, help="how many of the last lines (default: %(default)s)"
    )
    logs.set_defaults(run=logs_command)


def up_command(options: argparse.Namespace) -> int:
    """Start the stack in the data folder (MODELYARD_HOME, default ~/.modelyard) and keep it running until Ctrl-C."""
    from modelyard.cli.stack_display import display, what_next
    from modelyard.stack import StackError, state, up, up_detached

    layout = _layout()
    try:
        if options.detach:
            up_detached(layout)
            layout = _layout()  # with the ports that were chosen meanwhile
            print(what_next(layout, state.read(layout).ready_s, detached=True))
        else:
            with display(layout) as on_change:
                asyncio.run(up(layout, on_change=on_change))
    except StackError as error:
        print(f"modelyard up: {error}", file=sys.stderr)
        return 1
    return 0


def down_command(_: argparse.Namespace) -> int:
    """Stop the stack and wait until none of its processes is left. Its data stays."""
    from modelyard.stack import StackError, down

    layout = _layout()
    try:
        print(f"stopped {layout.home}" if down(layout) else f"nothing runs on {layout.home}")
    except StackError as error:
        print(f"modelyard down: {error}", file=sys.stderr)
        return 1
    return 0


def status_command(options: argparse.Namespace) -> int:
    """Show the stack. Exit status: 0 when it is running, 1 when it is not (or not yet)."""
    from modelyard.cli.stack_display import status_table
    from modelyard.stack import status

    document = status(_layout())
    if options.output == "json":
        print(json.dumps(document, indent=2))
    else:
        status_table(document)
    return 0 if document["state"] == "running" else 1


def logs_command(options: argparse.Namespace) -> int:
    """Show the last lines that each part wrote, or one part's."""
    from modelyard.stack import logs

    layout = _layout()
    found = {path.stem: path for path in sorted((layout.home / "logs").glob("*.log"))}
    if options.service is not None:
        if options.service not in found:
            known = ", ".join(found) or "none yet: `modelyard up` makes them"
            print(f"modelyard logs: no log of {options.service!r}; there are: {known}", file=sys.stderr)
            return _NO_LOG
        found = {options.service: found[options.service]}
    positions = {name: path.stat().st_size for name, path in found.items()}
    for name, path in found.items():
        _show(name, logs.tail(path, options.lines), alone=len(found) == 1)
    while options.follow:
        time.sleep(_FOLLOW_S)
        for name, path in found.items():
            text, positions[name] = logs.appended(path, positions[name])
            _show(name, text.splitlines(), alone=len(found) == 1)
    return 0


def _show(name: str, lines: list[str], *, alone: bool) -> None:
    for line in lines:
        print(line if alone else f"{name:>13} │ {line}", flush=True)


def _layout() -> "Layout":
    from modelyard.stack import Layout, default_home

    return Layout.open(default_home())


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")
    return int(text)
