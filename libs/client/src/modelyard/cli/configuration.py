"""`modelyard configure`: what `az configure` keeps between commands is in the token and the environment here."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from modelyard.cli import options as flags
from modelyard.cli.options import Groups


def register(groups: Groups) -> None:
    """Add the command."""
    command = flags.Group("configure", groups).verb(
        "configure", configure, columns=("name", "value", "source"), example="configure --list-defaults"
    )
    command.add_argument("-d", "--defaults", nargs="+", default=[], metavar="KEY=VALUE", help="taken and passed over")
    command.add_argument("-l", "--list-defaults", action="store_true", help="the workspace that the token is of")
    command.add_argument("--scope", choices=("global", "local"), help=argparse.SUPPRESS)
    command.set_defaults(offline=True)


def configure(options: argparse.Namespace) -> Any:
    """Show which workspace commands are about: the token says it. Defaults that are given are passed over.

    `MODELYARD_URL` and `MODELYARD_TOKEN` choose another installation or workspace.
    """
    if options.defaults:
        said = "note: which workspace commands are about is said by the token (MODELYARD_TOKEN); defaults are not kept"
        print(said, file=sys.stderr)
    if not options.list_defaults:
        return None
    from modelyard.client import Client

    with Client() as client:
        return [{"name": "workspace", "value": client.whoami()["workspace"], "source": "token"}]
