"""`modelyard compute | datastore | connection …`: what a workspace knows by name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.api.resources import Resources
    from modelyard.client import Client
    from modelyard_specs import Group

_GROUPS: Final[Mapping[Group, tuple[str, str, tuple[str, ...]]]] = {
    "compute": (
        "names that jobs may give for where they run (they run on the nodes of this installation)",
        "computes",
        ("name", "type", "size", "min_instances", "max_instances", "provisioning_state", "created_by", "created_at"),
    ),
    "datastore": (
        "storage outside, to be named in the paths of data",
        "datastores",
        ("name", "type", "account_name", "container_name", "description", "created_by", "created_at"),
    ),
    "connection": (
        "other services, without the secrets that they are reached with",
        "connections",
        ("name", "type", "target", "description", "created_by", "created_at"),
    ),
}
_EXAMPLES: Final = {
    "compute": "-n cpu-cluster --type amlcompute --min-instances 0 --max-instances 4",
    "datastore": "-f blob.yml",
    "connection": "-f connection.yml",
}
_CHANGES: Final = {
    "compute": "--max-instances 8",
    "datastore": "--set description=raw",
    "connection": "--set target=https://example.com",
}
_AZ_TYPES: Final = {
    "aml_compute": "amlcompute",
    "compute_instance": "computeinstance",
    "synapse_spark": "synapsespark",
    "virtual_machine": "virtualmachine",
}
"""Types of compute as `az` writes them."""
_ASKED: Final = {"compute": ("size", "min_instances", "max_instances", "tier", "location", "identity")}
"""What scripts ask for, whether it was given or not."""
_KEYS: Final = (
    "type", "size", "tier", "location", "min_instances", "max_instances", "idle_time_before_scale_down", "idle_time_before_shutdown",
    "resource_id", "namespace",
    "ssh_public_access_enabled", "enable_node_public_ip", "enable_sso", "description",
)  # fmt: skip
"""The flags that are keys of the specification."""


def register(groups: Groups) -> None:
    """Add the three groups."""
    for name, (says, _, columns) in _GROUPS.items():
        group = flags.group(groups, name, says, f"{name} create {_EXAMPLES[name]}")
        command = group.verb("create", create, example=f"{name} create {_EXAMPLES[name]}")
        _made(command, name)
        if name == "compute":
            attached = "-n k8s --type kubernetes --resource-id /subscriptions/…"
            _made(group.verb("attach", create, example=f"compute attach {attached}"), name)
        command = group.verb("show", show, example=f"{name} show -n NAME")
        flags.named(command, name)
        command = group.verb("list", list_, columns=columns, example=f"{name} list -o table")
        command.add_argument("-t", "--type", "--connection-type", help="of this type only")
        flags.bounded(command)
        command = group.verb("update", update, example=f"{name} update -n NAME {_CHANGES[name]}")
        command.add_argument("-f", "--file", metavar="YAML", help="the specification; without one, the one it has")
        flags.named(command, name, required=False)
        flags.edited(command, "of the specification")
        _described(command, name)
        _ends(command)
        flags.changes(command)
        for verb in ("delete", "detach") if name == "compute" else ("delete",):
            command = group.verb(verb, delete, example=f"{name} {verb} -n NAME --yes")
            flags.named(command, name)
            flags.deletes(command)
            _ends(command)
            flags.changes(command)
        for command in group.verbs.choices.values():
            command.set_defaults(group=name)


def _made(command: argparse.ArgumentParser, name: str) -> None:
    flags.from_file(command, required=False)
    flags.named(command, name, required=False)
    _described(command, name)
    _ends(command)
    flags.changes(command)


def _described(command: argparse.ArgumentParser, name: str) -> None:
    """The flags that say what a compute is."""
    if name != "compute":
        return
    command.add_argument("-t", "--type", help="such as amlcompute, computeinstance or kubernetes")
    command.add_argument("-s", "--size", help="kept and shown; machines are the nodes of this installation")
    command.add_argument("--tier", help="dedicated or low_priority")
    command.add_argument("-l", "--location")
    for flag in ("--min-instances", "--max-instances", "--idle-time-before-scale-down"):
        command.add_argument(flag, type=int, metavar="NUMBER")
    command.add_argument("-d", "--description")
    flags.tags(command)
    command.add_argument("--idle-time-before-shutdown", metavar="ISO 8601", help="such as PT2H")
    command.add_argument("--resource-id", metavar="ID", help="of the cluster or machine that is attached")
    command.add_argument("--namespace", help="of a Kubernetes cluster")
    command.add_argument("-i", "--identity-type", help="system_assigned or user_assigned")
    command.add_argument("--user-assigned-identities", metavar="IDS", help="separated by commas")
    command.add_argument("--vnet-name")
    command.add_argument("--subnet")
    for flag in ("--ssh-public-access-enabled", "--enable-node-public-ip", "--enable-sso"):
        command.add_argument(flag, metavar="true|false")


def _ends(command: argparse.ArgumentParser) -> None:
    command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is done at once")


def create(client: Client, options: argparse.Namespace) -> Any:
    """Make it, or change the one of this name. What gives access (credentials, keys, passwords) is neither sent nor kept."""
    group: Group = options.group
    if options.file is None and options.name is None:
        raise CommandError("give --file, or --name and --type" if group == "compute" else "give --file", status=2)
    changes = [*flags.overrides(options), *_given(options)]
    return _shown(group, _holder(client, options).put(client.specs.prepare(options.file or {}, group, changes)))


def show(client: Client, options: argparse.Namespace) -> Any:
    """One of them."""
    return _shown(options.group, _holder(client, options).get(options.name))


def list_(client: Client, options: argparse.Namespace) -> Any:
    """All of them, by name."""
    type_ = options.type and options.type.lower()
    if options.group == "compute":
        type_ = next((ours for ours, theirs in _AZ_TYPES.items() if theirs == (type_ or "").replace("_", "")), type_)
    found = _holder(client, options).list(type=type_, limit=options.max_results)
    return [_shown(options.group, one) for one in found]


def update(client: Client, options: argparse.Namespace) -> Any:
    """Change the specification it has, or give it a new one with --file."""
    from modelyard.cli.edits import edited, of_file

    if options.file is not None:
        options.set = [of_file(options.edits)]
        return create(client, options)
    given = _given(options)
    if options.name is None or not (options.edits or len(given) > 1):
        raise CommandError("give --file, or --name and what to --set", status=2)
    holder = _holder(client, options)
    spec = edited(holder.get(options.name)["spec"], options.edits)
    return _shown(options.group, holder.put(client.specs.prepare(spec, options.group, given)))


def delete(client: Client, options: argparse.Namespace) -> None:
    """Delete it; a datastore not while something stands on it."""
    if options.group != "datastore":  # `az ml datastore delete` asks nobody, and scripts rely on that
        flags.confirm(options, f"Delete {options.group} {options.name}?")
    _holder(client, options).delete(options.name)


def _given(options: argparse.Namespace) -> list[str]:
    """What the flags say, as changes of the specification."""
    from modelyard.api.specs import overrides_of

    if options.group != "compute":
        return overrides_of({"name": options.name})
    given = {key: getattr(options, key) for key in ("name", *_KEYS)}
    ids = [one.strip() for one in (options.user_assigned_identities or "").split(",") if one.strip()]
    given |= {
        "identity.type": options.identity_type,
        "identity.user_assigned_identities": [{"resource_id": one} for one in ids] or None,
        "network_settings.vnet_name": options.vnet_name,
        "network_settings.subnet": options.subnet,
    }
    return overrides_of(given) + flags.tagged(options)


def _holder(client: Client, options: argparse.Namespace) -> Resources:
    found: Resources = getattr(client, _GROUPS[options.group][1])
    return found


def _shown(group: Group, resource: Mapping[str, Any]) -> dict[str, Any]:
    """As `az` shows it: the keys of its specification, and what scripts ask for."""
    kept = {key: value for key, value in resource.items() if key not in ("spec", "kind", "ignored")}
    first = {key: resource[key] for key in ("name", "type")}
    shown = first | dict.fromkeys(_ASKED.get(group, ())) | dict(resource["spec"]) | kept
    shown.pop("$schema", None)
    return shown | {"type": _AZ_TYPES.get(resource["type"], resource["type"])}
