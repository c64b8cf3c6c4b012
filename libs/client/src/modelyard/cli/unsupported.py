"""What scripts for `az ml` may ask for and Modelyard has no server side for yet: known, explained, and refused with exit status 1."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Final, NoReturn

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

_CRUD: Final = ("create", "show", "list", "update", "delete")
_GROUPS: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "batch-endpoint": (
        "endpoints that score whole datasets",
        "batch scoring is not supported yet; a command job can score a dataset",
        (*_CRUD, "invoke", "list-jobs"),
    ),
    "batch-deployment": (
        "what answers behind a batch endpoint",
        "batch scoring is not supported yet; a command job can score a dataset",
        (*_CRUD, "list-jobs"),
    ),
    "compute": (
        "where jobs run",
        "jobs run on the nodes of this installation, whatever their `compute:` says: none has to be made",
        (*_CRUD, "attach", "detach", "start", "stop", "restart", "list-nodes", "list-sizes", "list-usage"),
    ),
    "datastore": (
        "storage outside Modelyard",
        "datastores are not supported yet; data may name an S3, HTTP or file address as its path",
        (*_CRUD,),
    ),
    "connection": (
        "secrets of other services",
        "connections are not supported yet",
        (*_CRUD,),
    ),
}


def register(groups: Groups) -> None:
    """Add the groups, each verb refusing with the group's reason."""
    for name, (says, reason, verbs) in _GROUPS.items():
        group = flags.group(groups, name, f"{says} (not supported yet)", f"{name} {verbs[0]} --help")
        for each in verbs:
            verb(group, each, reason, f"{name} {each}")


def verb(group: flags.Group, name: str, reason: str, example: str) -> None:
    """A command that is known and refused. It takes any flags: they are not what is wrong."""
    command = group.verb(name, partial(_refuse, f"{group.name} {name}", reason), example=example)
    command.description = f"Not supported: {reason}."
    command.set_defaults(offline=True, takes_any=True)


def _refuse(what: str, reason: str, _: argparse.Namespace) -> NoReturn:
    """Not supported yet."""
    raise CommandError(f"{what}: {reason}")
