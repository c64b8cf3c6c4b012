"""`modelyard online-endpoint …`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.client import Client

_LIST: Final = ("name", "traffic", "deployments", "provisioning_state", "scoring_uri")


def register(groups: Groups) -> None:
    """Add the group."""
    group = flags.group(groups, "online-endpoint", "addresses that answer", "online-endpoint list")

    command = group.verb("create", create, example="online-endpoint create -n flights -f endpoint.yml")
    flags.from_file(command, required=False)
    flags.named(command, "endpoint", required=False)
    command.add_argument("--auth-mode", help="key")
    flags.tags(command)
    command.add_argument("--no-wait", action="store_true", help="as it is anyway: an endpoint is there at once")
    flags.web(command, "-e")
    flags.changes(command)
    command = group.verb("show", show, example="online-endpoint show -n flights --query scoring_uri -o tsv")
    flags.named(command, "endpoint")
    flags.web(command, "-e")
    command = group.verb("list", list_, columns=_LIST, example="online-endpoint list -o table")
    flags.bounded(command)
    command = group.verb("update", update, example='online-endpoint update -n flights --traffic "blue=90 green=10"')
    command.add_argument("-f", "--file", metavar="YAML", help="the specification; without one, the one it has")
    flags.named(command, "endpoint", required=False)
    flags.edited(command, "of the specification")
    command.add_argument("-r", "--traffic", help='percent by deployment, "blue=90 green=10"; the others get none')
    command.add_argument(
        "--mirror-traffic", help="percent of requests copied to a deployment that does not answer them"
    )
    flags.changes(command)
    command = group.verb("delete", delete, example="online-endpoint delete -n flights --yes")
    flags.named(command, "endpoint")
    flags.deletes(command)
    command.add_argument("--no-wait", action="store_true", help="do not wait until its deployments have ended")
    flags.changes(command)
    command = group.verb("invoke", invoke, example="online-endpoint invoke -n flights --request-file request.json")
    flags.named(command, "endpoint")
    command.add_argument("-d", "--deployment-name", metavar="NAME", help="ask this deployment in particular")
    command.add_argument(
        "-r", "--request-file", required=True, metavar="JSON", help="the body to send; - reads standard input"
    )
    command = group.verb("get-credentials", get_credentials, example="online-endpoint get-credentials -n flights")
    flags.named(command, "endpoint")
    command = group.verb("regenerate-keys", regenerate_keys, example="online-endpoint regenerate-keys -n flights")
    flags.named(command, "endpoint")
    command.add_argument("--key-type", choices=("primary", "secondary"), default="primary")
    flags.changes(command)


def create(client: Client, options: argparse.Namespace) -> Any:
    """Create an endpoint, or change the one of this name."""
    keys = {"name": options.name, "auth_mode": options.auth_mode}
    if options.file is None and options.name is None:
        raise CommandError("give --file or --name", status=2)
    changes = flags.overrides(options, **keys) + flags.tagged(options)
    found = client.endpoints.put(client.specs.prepare(options.file or {}, "online-endpoint", changes))
    if options.web:
        flags.open_page(client, "endpoints")
    return found


def show(client: Client, options: argparse.Namespace) -> Any:
    """One endpoint: where it is and how its traffic is split."""
    if options.web:
        flags.open_page(client, "endpoints")
    return client.endpoints.get(options.name)


def list_(client: Client, options: argparse.Namespace) -> Any:
    """Endpoints, by name."""
    return client.endpoints.list(limit=options.max_results)


def update(client: Client, options: argparse.Namespace) -> Any:
    """Split the traffic, or change the endpoint itself with --file or --set."""
    traffic = None if options.traffic is None else percentages("--traffic", options.traffic)
    mirror = None if options.mirror_traffic is None else percentages("--mirror-traffic", options.mirror_traffic)
    if options.file is not None:
        found = client.endpoints.put(_of_file(client, options))
    elif options.name is None:
        raise CommandError("give --name or --file", status=2)
    elif options.edits:
        found = client.endpoints.put(_changed(client, options))
    elif traffic is None and mirror is None:
        raise CommandError("nothing to change: give --traffic, --set or --file", status=2)
    else:
        found = client.endpoints.get(options.name)
    if traffic is None and mirror is None:
        return found
    return client.endpoints.set_traffic(found["name"], found["traffic"] if traffic is None else traffic, mirror)


def delete(client: Client, options: argparse.Namespace) -> None:
    """Stop answering, and end its deployments."""
    flags.confirm(options, f"Delete endpoint {options.name} and its deployments?")
    client.endpoints.delete(options.name, wait=not options.no_wait)


def invoke(client: Client, options: argparse.Namespace) -> None:
    """Send a request and print the answer."""
    from_stdin = options.request_file == "-"
    body = sys.stdin.buffer.read() if from_stdin else Path(options.request_file).read_bytes()
    print(client.endpoints.invoke(options.name, body, deployment=options.deployment_name).decode(errors="replace"))


def get_credentials(client: Client, options: argparse.Namespace) -> Any:
    """The keys that callers of the endpoint send."""
    return client.endpoints.keys(options.name)


def regenerate_keys(client: Client, options: argparse.Namespace) -> Any:
    """Put a new key in the place of one; callers with the old one are refused from now on."""
    return client.endpoints.regenerate_key(options.name, options.key_type)


def percentages(flag: str, text: str) -> dict[str, int]:
    """`blue=90 green=10` (or with commas). Raises CommandError."""
    found = {}
    for part in text.replace(",", " ").split():
        name, _, percent = part.partition("=")
        if not name or not percent.isascii() or not percent.isdecimal() or name in found:
            raise CommandError(f'{flag} "{text}": {part} is no share, as in "blue=90 green=10"', status=2)
        found[name] = int(percent)
    return found


def _of_file(client: Client, options: argparse.Namespace) -> Any:
    from modelyard.api.specs import overrides_of
    from modelyard.cli.edits import of_file

    changes = of_file(options.edits) + overrides_of({"name": options.name})
    return client.specs.prepare(options.file, "online-endpoint", changes)


def _changed(client: Client, options: argparse.Namespace) -> Any:
    """What is there, with the edits over it."""
    from modelyard.cli.edits import edited

    there = client.endpoints.get(options.name)["spec"]
    return client.specs.prepare(edited(there, options.edits) | {"name": options.name}, "online-endpoint")
