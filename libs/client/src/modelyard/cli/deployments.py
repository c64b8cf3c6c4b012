"""`modelyard online-deployment …`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups
from modelyard.cli.progress import progress

if TYPE_CHECKING:
    from modelyard.client import Client

_LIST: Final = ("name", "status", "live_model", "traffic", "replicas", "instance_count", "detail")
_PATIENCE_S: Final = 1800


def register(groups: Groups) -> None:
    """Add the group."""
    says = "models in replicas behind an endpoint"
    group = flags.group(groups, "online-deployment", says, "online-deployment create -f blue.yml --all-traffic")

    command = group.verb("create", create, example="online-deployment create -f blue.yml --all-traffic")
    flags.from_file(command)
    _of_endpoint(command, required=False)
    command.add_argument("--all-traffic", action="store_true", help="give it everything once it is ready")
    _waits(command)
    flags.web(command)
    flags.changes(command)
    command = group.verb("show", show, example="online-deployment show -n blue -e flights")
    _of_endpoint(command)
    command = group.verb("list", list_, columns=_LIST, example="online-deployment list -e flights -o table")
    flags.endpoint_name(command)
    command = group.verb("update", update, example="online-deployment update -n blue -e flights --set instance_count=2")
    command.add_argument("-f", "--file", metavar="YAML", help="the specification; without one, the one it has")
    _of_endpoint(command, required=False)
    flags.edited(command, "of the specification")
    _waits(command)
    flags.changes(command)
    command = group.verb("delete", delete, example="online-deployment delete -n blue -e flights --yes")
    _of_endpoint(command)
    flags.deletes(command)
    command.add_argument("--no-wait", action="store_true", help="do not wait until it has drained")
    flags.changes(command)
    command = group.verb("get-logs", get_logs, example="online-deployment get-logs -n blue -e flights --lines 50")
    _of_endpoint(command)
    command.add_argument("-l", "--lines", type=flags.count, help="only so many of the last")


def create(client: Client, options: argparse.Namespace) -> Any:
    """Create a deployment and wait until it is ready. What answered before goes on answering until then, and if it fails."""
    found = _put(client, options, all_traffic=options.all_traffic)
    if options.web:
        flags.open_page(client, "endpoints")
    return found


def show(client: Client, options: argparse.Namespace) -> Any:
    """One deployment: how it stands, what it runs, its share of the traffic."""
    return client.deployments.get(options.endpoint_name, options.name)


def list_(client: Client, options: argparse.Namespace) -> Any:
    """An endpoint's deployments, by name."""
    return client.deployments.list(options.endpoint_name)


def update(client: Client, options: argparse.Namespace) -> Any:
    """Give a deployment a new specification, or change the one it has with --set, and wait until that is ready."""
    from modelyard.api.specs import overrides_of
    from modelyard.cli.edits import edited, of_file

    keys = {key: getattr(options, key) for key in ("name", "endpoint_name") if getattr(options, key) is not None}
    if options.file is not None:
        changes = of_file(options.edits) + overrides_of(keys)
        prepared = client.specs.prepare(options.file, "online-deployment", changes)
    elif len(keys) < 2 or not options.edits:
        raise CommandError("give --file, or --name, --endpoint-name and what to --set", status=2)
    else:
        there = client.deployments.get(options.endpoint_name, options.name)["spec"]
        prepared = client.specs.prepare(edited(there, options.edits) | keys, "online-deployment")
    return _asked(client, options, client.deployments.put(prepared))


def delete(client: Client, options: argparse.Namespace) -> None:
    """Drain and end a deployment that gets no traffic."""
    flags.confirm(options, f"Delete deployment {options.name} of {options.endpoint_name}?")
    client.deployments.delete(options.endpoint_name, options.name, wait=not options.no_wait)


def get_logs(client: Client, options: argparse.Namespace) -> None:
    """The end of its replicas' logs."""
    lines = client.deployments.logs(options.endpoint_name, options.name).splitlines()
    print("\n".join(lines[-options.lines :] if options.lines else lines))


def _of_endpoint(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    flags.named(command, "deployment", required=required)
    flags.endpoint_name(command, required=required)


def _waits(command: argparse.ArgumentParser) -> None:
    command.add_argument("--no-wait", action="store_true", help="return at once; `show` tells how it stands")
    command.add_argument(
        "--timeout",
        type=flags.count,
        default=_PATIENCE_S,
        metavar="SECONDS",
        help="wait so long (default: %(default)s)",
    )


def _put(client: Client, options: argparse.Namespace, *, all_traffic: bool) -> Any:
    keys = {"name": options.name, "endpoint_name": options.endpoint_name}
    prepared = client.specs.prepare(options.file, "online-deployment", flags.overrides(options, **keys))
    return _asked(client, options, client.deployments.put(prepared, all_traffic=all_traffic))


def _asked(client: Client, options: argparse.Namespace, asked: dict[str, Any]) -> Any:
    return asked if options.no_wait else until_ready(client, asked, options.timeout)


def until_ready(client: Client, asked: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """The deployment once it is ready, its states told on the way. Raises CommandError with the reason (a traceback) when it fails."""
    what = f"deployment {asked['name']} of {asked['endpoint_name']}"

    with progress(what) as tell:
        found = client.deployments.wait(
            asked["endpoint_name"], asked["name"], timeout_s=timeout_s, on_change=lambda now: tell(now["status"])
        )
    if found["status"] not in {"ready", "degraded"}:
        raise CommandError(f"{what} {found['status']}:\n{found['detail'].rstrip()}")
    return found
