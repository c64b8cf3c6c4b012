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
}


_CLOUD: Final = "this belongs to the original's cloud, and is no part of this"
_FEATURES: Final = "feature stores are not supported; register features as data, and make them in a job"
_OF_CLOUD: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "serverless-endpoint": (
        "models of the original's catalog are not served here: deploy a model of your own with online-endpoint",
        (*_CRUD, "get-credentials", "regenerate-keys"),
    ),
    "marketplace-subscription": (_CLOUD, _CRUD),
    "feature-set": (
        _FEATURES,
        (*_CRUD, "archive", "restore", "backfill", "get-feature", "list-features", "list-materialization-operation"),
    ),
    "feature-store": (_FEATURES, (*_CRUD, "provision-network")),
    "feature-store-entity": (_FEATURES, (*_CRUD, "archive", "restore")),
    "index": ("indexes are not supported; an index is data, or a model", _CRUD),
    "virtual-cluster": (_CLOUD, _CRUD),
    "capability-host": (_CLOUD, _CRUD),
    "deployment-template": ("a deployment is described by its own file", (*_CRUD, "archive", "restore")),
    "azure-openai-deployment": (_CLOUD, _CRUD),
}
"""Groups of `az ml` that stay unsupported: known, and not listed among the commands."""


def register(groups: Groups) -> None:
    """Add the groups, each verb refusing with the group's reason."""
    listed = {name: (f"{says} (not supported yet)", reason, verbs) for name, (says, reason, verbs) in _GROUPS.items()}
    hidden = {name: (None, reason, verbs) for name, (reason, verbs) in _OF_CLOUD.items()}
    for name, (says, reason, verbs) in (listed | hidden).items():
        group = flags.group(groups, name, says, f"{name} {verbs[0]} --help")
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
