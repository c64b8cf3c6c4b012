"""`modelyard apply -f DIR`: everything that a folder describes, in the order in which it depends on one another."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.api.assets import Assets
    from modelyard.api.resources import Resources
    from modelyard.client import Client
    from modelyard_specs import Document, Problem

_ORDER: Final = (
    "compute",
    "datastore",
    "connection",
    "environment",
    "data",
    "model",
    "command_component",
    "pipeline_component",
    "online_endpoint",
    "online_deployment",
    "monitor_schedule",
    "trigger",
    "subscription",
)
_ASSETS: Final = {
    "environment": "environments",
    "data": "data",
    "model": "models",
    "command_component": "components",
    "pipeline_component": "components",
}
_RESOURCES: Final = frozenset({"compute", "datastore", "connection"})
_JOBS: Final = frozenset({"command_job", "pipeline_job", "sweep_job", "opaque_job"})
_PASSED_OVER: Final = frozenset({"empty", "other"})


def register(groups: Groups) -> None:
    """Add the command."""
    command = flags.Group("apply", groups).verb(
        "apply", apply, columns=("what", "name", "version", "result"), example="apply -f examples/flights"
    )
    command.add_argument("-f", "--file", required=True, metavar="DIR", help="the folder (or one file)")
    command.add_argument("--no-wait", action="store_true", help="do not wait until deployments are ready")
    command.add_argument("--timeout", type=flags.count, default=1800, metavar="SECONDS", help="wait so long for each")
    flags.changes(command)


def apply(client: Client, options: argparse.Namespace) -> Any:
    """Everything a folder describes, in the order in which it depends on one another.

    Compute, datastores, connections, environments, data, models, components, endpoints, deployments, then monitors, triggers,
    subscriptions. All of it is checked before anything is sent. An asset that is what its version (or, without one, the latest)
    already is stays as it is, so that applying a folder again changes nothing. Jobs are started by `modelyard job create`, not by this.
    """
    documents = read_folder(Path(options.file))
    done = []
    for document in sorted(documents, key=lambda found: _ORDER.index(found.kind)):
        row = _apply(client, document, options)
        print(f"{row['what']} {row['name']}: {row['result']}", file=sys.stderr, flush=True)
        done.append(row)
    return done


def read_folder(folder: Path) -> list[Document]:
    """The specifications of a folder and the folders below it, checked, without jobs and without what is none. Raises SpecError."""
    from modelyard_specs import SpecError, load, require_submittable

    documents: list[Document] = []
    problems: list[Problem] = []
    for path in _files(folder):
        try:
            document = load(path)
            if document.kind in _JOBS:
                continue
            require_submittable(document)
            documents.append(_applicable(document))
        except SpecError as error:
            if error.code not in _PASSED_OVER:
                problems += error.problems
    if problems:
        raise SpecError(problems)
    if not documents:
        raise CommandError(f"{folder} holds no specification that can be applied", status=2)
    return documents


def _applicable(document: Document) -> Document:
    from modelyard_specs import SpecError

    if document.kind not in _ORDER:
        what = f"a {document.kind.replace('_', ' ')} cannot be applied yet"
        raise SpecError([document.problem((), what, code="unsupported")])
    return document


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise CommandError(f"{folder} does not exist", status=2)
    found = (path for path in folder.rglob("*") if path.suffix.lower() in {".yml", ".yaml"} and path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _apply(client: Client, document: Document, options: argparse.Namespace) -> dict[str, Any]:
    if document.kind in _ASSETS:
        return _asset(getattr(client, _ASSETS[document.kind]), client, document)
    prepared = client.specs.send(document)
    if document.kind in _RESOURCES:
        resources: Resources = getattr(client, f"{document.kind}s")
        return _row(document.kind, resources.put(prepared)["name"], "in place")
    if document.kind == "online_endpoint":
        found = client.endpoints.put(prepared)
        return _row("online-endpoint", found["name"], "in place")
    if document.kind == "online_deployment":
        from modelyard.cli.deployments import until_ready

        found = client.deployments.put(prepared)
        if not options.no_wait:
            found = until_ready(client, found, options.timeout)
        return _row("online-deployment", f"{found['endpoint_name']}/{found['name']}", found["status"])
    from modelyard.cli.automation import collection

    found = collection(client, document).put(prepared)
    return _row(document.kind.partition("_")[0], prepared.name, "in place")


def _asset(assets: Assets, client: Client, document: Document) -> dict[str, Any]:
    from modelyard.errors import ModelyardError
    from modelyard_specs import load_mapping

    prepared = client.specs.send(document)
    name = prepared.name
    what = document.kind.rpartition("_")[2]
    version = prepared.spec.get("version")
    try:
        there = assets.get(name, None if version is None else str(version))
    except ModelyardError as error:
        if error.status != 404:
            raise
        there = None
    from modelyard.api.assets import GROUPS

    if there is not None and there["spec"] == load_mapping(prepared.spec, group=GROUPS[assets.kind]).spec():
        return _row(what, name, "unchanged", there["version"])
    return _row(what, name, "registered", assets.register(prepared)["version"])


def _row(what: str, name: str, result: str, version: str | None = None) -> dict[str, Any]:
    return {"what": what, "name": name, "version": version, "result": result}
