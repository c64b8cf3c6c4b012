"""Flags of `az ml` that scripts give and that mean nothing here, or something that is not done here: all are known, so that no script
ends at one of them without a reason."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

from modelyard.cli import unsupported
from modelyard.cli.options import Group, Groups

PASSED_OVER: Final[Mapping[str, str]] = {
    "model create": "--datastore= --no-wait --skip-validation",
    "model list": "--no-wait",
    "model update": "--force-string",
    "model download": "--no-wait",
    "data create": "--datastore= --no-wait --skip-validation",
    "data update": "--force-string",
    "environment create": "--datastore= --os-type= --no-wait",
    "environment update": "--force-string",
    "component create": "--no-wait --skip-validation",
    "component update": "--force-string",
    "job create": "--skip-validation --no-wait",
    "job update": "--force-string --no-wait",
    "job show-services": "-i|--node-index=",
    "job cancel": "--no-wait",
    "online-endpoint update": "--force-string --no-wait",
    "online-endpoint regenerate-keys": "--no-wait",
    "online-deployment create": "--skip-script-validation --package-model",
    "online-deployment update": "--skip-script-validation --package-model --force-string",
    "online-deployment get-logs": "-c|--container=",
    "schedule create": "--skip-validation",
    "schedule update": "--force-string",
    "schedule list": "--include-disabled",
    "compute create": "--ssh-port= --admin-username= --admin-password= --ssh-key-value= --user-object-id= --user-tenant-id=",
    "compute attach": "--ssh-port= --admin-username= --admin-password= --ssh-private-key-file=",
    "compute update": "--force-string",
    "datastore update": "--force-string",
    "connection create": "--populate-secrets --project-name=",
    "connection show": "--populate-secrets --project-name=",
    "connection list": "--populate-secrets --project-name=",
    "connection update": "--populate-secrets --project-name= --force-string",
    "connection delete": "--project-name=",
    "workspace create": "-l|--location= --display-name= --tags=* -k|--kind= --hub-id= --public-network-access= --storage-account= "
    "--key-vault= --container-registry= --application-insights= --image-build-compute= -m|--managed-network= --identity= "
    "--primary-user-assigned-identity= -u|--update-dependent-resources -e|--enable-data-isolation --set=* "
    "--network-acls= --system-datastores-auth-mode= --allow-roleassignment-on-rg= --provision-network-now",
    "workspace update": "--display-name= --tags=* --public-network-access= --image-build-compute= -m|--managed-network= "
    "--primary-user-assigned-identity= -u|--update-dependent-resources --container-registry= --application-insights= "
    "--network-acls= --force-string --no-wait",
    "workspace list": "--kind= -r|--max-results=",
    "workspace delete": "--all-resources -p|--permanently-delete",
    "registry create": "-l|--location= --tags=* --public-network-access= --set=*",
    "registry list": "-r|--max-results=",
    "registry update": "--tags=* --public-network-access= --force-string --no-wait",
}
"""What a command takes and passes over, with a note. `=`: it has a value, `=*`: several; `|` stands between its names."""

_NODES: Final = "nothing runs on a compute here: jobs run on the nodes of this installation, which are on while it is"
_KEYS: Final = "a workspace has no keys of a cloud's storage: `modelyard token` makes people's"
VERBS: Final[Mapping[str, Mapping[str, str]]] = {
    "compute": dict.fromkeys(
        ("start", "stop", "restart", "resize", "enable-sso", "connect-ssh", "list-nodes", "list-sizes", "list-usage"),
        _NODES,
    ),
    "data": {
        "import": "data imports are not supported: register the data with its files or its address",
        "mount": "steps mount what they read; `data download` brings it here",
        "list-materialization-status": "data imports are not supported",
    },
    "datastore": {"mount": "name its files as the path of data; `data download` brings them here"},
    "schedule": {"trigger": "it fires by itself; `job create` runs its job now"},
    "workspace": {
        "sync-keys": _KEYS,
        "list-keys": _KEYS,
        "diagnose": "`modelyard status` says how the parts are",
        "provision-network": "the network is the operator's",
        "outbound-rule": "the network is the operator's",
    },
}
"""Verbs that stay unsupported, with the reason."""

_LOCAL: Final = {
    "--local": "endpoints of their own in Docker are no part of this; `modelyard up` is the whole platform on this machine: "
    "leave --local out"
}
_DEBUGGED: Final = _LOCAL | dict.fromkeys(
    ("--vscode-debug", "--local-enable-gpu"), "it needs --local, which is no part of this"
)
REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "job create": {"-a|--save-as=": "print it with `-o yaml`, and keep what is printed"},
    **{f"online-endpoint {verb}": _LOCAL for verb in ("create", "show", "list", "update", "delete", "invoke")},
    **{f"online-deployment {verb}": _LOCAL for verb in ("show", "list", "delete", "get-logs")},
    **{f"online-deployment {verb}": _DEBUGGED for verb in ("create", "update")},
}
"""What changes what a command does, so that passing it over would do something else than was asked for."""


def accept(groups: Groups) -> None:
    """Let the commands of these groups know their flags. What a command has itself stays as it is."""
    for name, group in groups.choices.items():
        for action in group._actions:  # noqa: SLF001 - argparse has no other way to a parser's commands
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                for verb, reason in VERBS.get(name, {}).items():
                    unsupported.verb(Group(name, action), verb, reason, f"{name} {verb}")
                for verb, command in action.choices.items():
                    _accept(command, f"{name} {verb}")


def _accept(command: argparse.ArgumentParser, called: str) -> None:
    for flag in PASSED_OVER.get(called, "").split():
        _add(command, flag, "ignored")
    refused = REFUSED.get(called, {})
    for flag in refused:
        _add(command, flag, "refused")
    command.set_defaults(refusals={_name(flag): reason for flag, reason in refused.items()})


def _add(command: argparse.ArgumentParser, flag: str, prefix: str) -> None:
    names, equals, several = flag.partition("=")
    free = [name for name in names.split("|") if name not in command._option_string_actions]  # noqa: SLF001
    if not any(name.startswith("--") for name in free):
        return
    dest = f"{prefix}_{_name(flag)}"
    if not equals:
        command.add_argument(*free, dest=dest, action="store_true", help=argparse.SUPPRESS)
    else:
        command.add_argument(*free, dest=dest, nargs="+" if several else None, help=argparse.SUPPRESS)


def _name(flag: str) -> str:
    return flag.partition("=")[0].rpartition("|")[2].strip("-")
