"""`modelyard schedule | trigger | monitor | subscription …`: what happens by itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.api.named import Named
    from modelyard.client import Client
    from modelyard_specs import Document, Group

_GROUPS: Final = {
    "schedule": ("monitors and triggers, as `az ml schedule` has them", ("kind", "name", "created_by", "created_at")),
    "trigger": ("jobs that start when an event matches", ("name", "event_type", "enabled", "last_fired_at")),
    "monitor": ("what watches deployments", ("name", "endpoint", "deployment", "every_s", "created_by", "updated_at")),
    "subscription": ("webhooks and chats that are told of events", ("name", "type", "events", "enabled", "url")),
}
_KINDS: Final = {
    "schedule": ("triggers", "monitors"),
    "trigger": ("triggers",),
    "monitor": ("monitors",),
    "subscription": ("subscriptions",),
}
_READ_AS: Final[dict[str, Group]] = {
    "schedule": "schedule",
    "trigger": "trigger",
    "monitor": "schedule",
    "subscription": "subscription",
}
_EXAMPLES: Final = {
    "schedule": "description=nightly",
    "trigger": "cooldown=3600",
    "monitor": "trigger.interval=2",
}
_COLLECTIONS: Final = {"trigger": "triggers", "monitor_schedule": "monitors", "subscription": "subscriptions"}


def register(groups: Groups) -> None:
    """Add the four groups."""
    for name, (says, columns) in _GROUPS.items():
        group = flags.group(groups, name, says, f"{name} create -f {name}.yml")
        command = group.verb("create", create, example=f"{name} create -f {name}.yml")
        flags.from_file(command)
        flags.named(command, name, required=False)
        command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is there at once")
        flags.changes(command)
        command = group.verb("show", show, example=f"{name} show -n NAME")
        flags.named(command, name)
        command = group.verb("list", list_, columns=columns, example=f"{name} list -o table")
        flags.bounded(command)
        if name == "schedule":
            command.add_argument("--disabled-only", action="store_true", help="only those that are disabled")
        if name != "subscription":  # its secret is not given out, so what is there cannot be put again
            command = group.verb("update", update, example=f"{name} update -n NAME --set {_EXAMPLES[name]}")
            command.add_argument("-f", "--file", metavar="YAML", help="the specification; without one, the one it has")
            flags.named(command, name, required=False)
            flags.edited(command, "of the specification")
            command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is there at once")
            flags.changes(command)
        if name in {"schedule", "trigger"}:
            for verb, run in (("enable", enable), ("disable", disable)):
                command = group.verb(verb, run, example=f"{name} {verb} -n NAME")
                flags.named(command, name)
                command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is done at once")
                flags.changes(command)
        command = group.verb("delete", delete, example=f"{name} delete -n NAME --yes")
        flags.named(command, name)
        flags.deletes(command)
        command.add_argument("--no-wait", action="store_true", help="as it is anyway: it is gone at once")
        flags.changes(command)
        if name == "monitor":
            command = group.verb(
                "signals", signals, example="monitor signals -n NAME --query 'evaluations[0].features'"
            )
            flags.named(command, name)
            flags.bounded(command)
        if name == "subscription":
            _register_deliveries(group)
        for command in group.verbs.choices.values():
            command.set_defaults(group=name)


def _register_deliveries(group: flags.Group) -> None:
    columns = ("id", "event_type", "event_subject", "status", "attempts", "detail")
    command = group.verb(
        "deliveries", deliveries, columns=columns, example="subscription deliveries -n NAME --status dead"
    )
    flags.named(command, "subscription")
    command.add_argument("--status", help="such as delivered or dead")
    flags.bounded(command)
    command = group.verb("replay", replay, example="subscription replay --delivery ID")
    command.add_argument("--delivery", required=True, metavar="ID")


def create(client: Client, options: argparse.Namespace) -> Any:
    """Put it in place, or change the one of this name."""
    from modelyard.api.specs import read

    document = read(options.file, _READ_AS[options.group], flags.overrides(options, name=options.name))
    return collection(client, document).put(client.specs.send(document))


def show(client: Client, options: argparse.Namespace) -> Any:
    """One of them."""
    return _holder(client, options).get(options.name)


def list_(client: Client, options: argparse.Namespace) -> Any:
    """All of them, by name."""
    kinds = _KINDS[options.group]
    found = {kind: _named(client, kind).list(limit=options.max_results) for kind in kinds}
    if len(kinds) == 1:
        return found[kinds[0]]
    rows = [{"kind": kind.removesuffix("s"), **one} for kind, items in found.items() for one in items]
    return [one for one in rows if not one.get("enabled", True)] if options.disabled_only else rows


def update(client: Client, options: argparse.Namespace) -> Any:
    """Change the specification it has with --set, or give it a new one with --file."""
    if options.file is not None:
        from modelyard.cli.edits import of_file

        options.set = [of_file(options.edits)]
        return create(client, options)
    if options.name is None or not options.edits:
        raise CommandError("give --file, or --name and what to --set", status=2)
    return _edit(client, options, options.edits)


def enable(client: Client, options: argparse.Namespace) -> Any:
    """Let it start jobs again."""
    return _switch(client, options, on=True)


def disable(client: Client, options: argparse.Namespace) -> Any:
    """Let it start no jobs until it is enabled again."""
    return _switch(client, options, on=False)


def delete(client: Client, options: argparse.Namespace) -> None:
    """Remove it. What it has done stays."""
    flags.confirm(options, f"Delete {options.group} {options.name}?")
    _holder(client, options).delete(options.name)


def signals(client: Client, options: argparse.Namespace) -> Any:
    """What a monitor sees: the state of its signals, and its newest evaluations."""
    return client.monitors.signals(options.name, limit=options.max_results)


def deliveries(client: Client, options: argparse.Namespace) -> Any:
    """What was sent to a subscription, newest first."""
    return client.subscriptions.deliveries(options.name, status=options.status, limit=options.max_results)


def replay(client: Client, options: argparse.Namespace) -> Any:
    """Send a delivered or dead delivery again."""
    return client.subscriptions.replay(options.delivery)


def collection(client: Client, document: Document) -> Named:
    """Where a document of these kinds belongs. Raises SpecError for one that belongs nowhere yet."""
    from modelyard_specs import SpecError

    if document.kind not in _COLLECTIONS:
        what = "jobs at certain times are not supported yet; `type: trigger` starts one when an event matches"
        raise SpecError([document.problem(("trigger",), what, key=True, code="unsupported")])
    return _named(client, _COLLECTIONS[document.kind])


def _switch(client: Client, options: argparse.Namespace, *, on: bool) -> Any:
    if _holder(client, options) is client.monitors:
        raise CommandError(f"{options.name} is a monitor, which is on while it is there: delete it, or create it again")
    return _edit(client, options, [("set", [f"enabled={str(on).lower()}"])])


def _edit(client: Client, options: argparse.Namespace, edits: Sequence[tuple[str, Sequence[str]]]) -> Any:
    """Put what is there again, with the edits over it."""
    from modelyard.api.specs import read
    from modelyard.cli.edits import edited

    spec = edited(_holder(client, options).get(options.name)["spec"], edits) | {"name": options.name}
    document = read(spec, _READ_AS[options.group])
    return collection(client, document).put(client.specs.send(document))


def _named(client: Client, kind: str) -> Named:
    found: Named = getattr(client, kind)
    return found


def _holder(client: Client, options: argparse.Namespace) -> Named:
    """The collection that has this name: the first of two, unless only the second does."""
    from modelyard.errors import ModelyardError

    *before, last = (_named(client, kind) for kind in _KINDS[options.group])
    for one in before:
        try:
            one.get(options.name)
        except ModelyardError as error:
            if error.status != 404:
                raise
        else:
            return one
    return last
