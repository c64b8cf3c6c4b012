"""`modelyard workspace | registry …`: where things are kept apart, and where they are shared."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli import unsupported
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.api.workspaces import Registries, Workspaces
    from modelyard.client import Client

_GROUPS: Final = {
    "workspace": "what keeps models, data, jobs and endpoints apart",
    "registry": "what is shared between workspaces",
}
_LISTS: Final = {
    "workspace": ("name", "description", "created_by", "created_at"),
    "registry": ("name", "description", "writers", "created_by", "created_at"),
}


def register(groups: Groups) -> None:
    """Add the two groups."""
    for name, says in _GROUPS.items():
        group = flags.group(groups, name, says, f"{name} create -n NAME")
        command = group.verb("create", create, example=f"{name} create -n NAME")
        command.add_argument("-f", "--file", metavar="YAML", help=f"the {name}'s specification")
        flags.named(command, name, required=False)
        command.add_argument("--description")
        if name == "registry":
            _workspaces(command, "--writer", "may share into it, beside the one whose owners make registries")
        command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is there at once")
        flags.changes(command)
        command = group.verb("show", show, example=f"{name} show -n NAME")
        flags.named(command, name, required=name == "registry")
        group.verb("list", list_, columns=_LISTS[name], example=f"{name} list")
        if name == "registry":
            command = group.verb("update", update, example="registry update -n NAME --add-writer WORKSPACE")
            flags.named(command, name)
            command.add_argument("--description")
            _workspaces(command, "--add-writer", "may share into it from now on")
            _workspaces(command, "--remove-writer", "may not any more")
            flags.changes(command)
        else:
            unsupported.verb(group, "update", "it has no settings that could change", f"{name} update -n NAME")
        command = group.verb("delete", delete, example=f"{name} delete -n NAME --yes")
        flags.named(command, name)
        flags.deletes(command)
        command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is gone at once")
        flags.changes(command)
        for command in group.verbs.choices.values():
            command.set_defaults(group=name)


def _workspaces(command: argparse.ArgumentParser, flag: str, says: str) -> None:
    command.add_argument(
        flag, nargs="+", action="extend", default=[], metavar="WORKSPACE", help=f"workspaces that {says}"
    )


def create(client: Client, options: argparse.Namespace) -> Any:
    """Make one. A workspace's first owner token is shown this once."""
    keys = {"name": options.name, "description": options.description}
    if options.file is not None:
        from pathlib import Path

        from modelyard_specs.yaml_source import read

        found = read(Path(options.file)).value
        if not isinstance(found, dict):
            raise CommandError(f"{options.file} is no {options.group}: a mapping with a name", status=2)
        keys = {key: value or found.get(key) for key, value in keys.items()}
    if not keys["name"]:
        raise CommandError("give --name, or a --file that has one", status=2)
    if options.group == "registry":
        return client.registries.create(str(keys["name"]), description=keys["description"], writers=options.writer)
    return client.workspaces.create(str(keys["name"]), description=keys["description"])


def update(client: Client, options: argparse.Namespace) -> Any:
    """Change what a registry is for, or which workspaces may share into it."""
    if options.description is None and not options.add_writer and not options.remove_writer:
        raise CommandError("what is to change? say it with --description, --add-writer or --remove-writer", status=2)
    return client.registries.update(
        options.name,
        description=options.description,
        add_writers=options.add_writer,
        remove_writers=options.remove_writer,
    )


def show(client: Client, options: argparse.Namespace) -> Any:
    """One of them; without a name the workspace that you are in. `mlflow_tracking_uri` is what MLflow clients need."""
    if options.group == "registry":
        return client.registries.get(options.name)
    found = client.workspaces.get(options.name or client.whoami()["workspace"])
    return {**found, "mlflow_tracking_uri": client.url}


def list_(client: Client, options: argparse.Namespace) -> Any:
    """All that there are, by name."""
    return _holder(client, options).list()


def delete(client: Client, options: argparse.Namespace) -> None:
    """Delete one that is empty."""
    flags.confirm(options, f"Delete {options.group} {options.name}?")
    _holder(client, options).delete(options.name)


def _holder(client: Client, options: argparse.Namespace) -> Workspaces | Registries:
    return client.workspaces if options.group == "workspace" else client.registries
