"""`modelyard model | data | environment | component …`: versions of assets."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import cards, datasets, explanations, search, unsupported
from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.api.assets import Assets
    from modelyard.client import Client

_GROUPS: Final = {
    "model": ("models", "versions of models, with their files"),
    "data": ("data", "versions of data"),
    "environment": ("environments", "what user code runs in"),
    "component": ("components", "steps that pipelines are made of"),
}
_ONLY_HERE: Final = "this is done with a workspace's own: leave --registry-name out"
_CREATED: Final = (
    "what is in a registry was made in a workspace: leave --registry-name out, then "
    "`modelyard {0} share -n NAME -v VERSION --registry-name REGISTRY`"
)
"""Why a command does not take `--registry-name`. Passing it over would be about something else than was asked for."""
_LIST: Final = ("name", "version", "type", "aliases", "stage", "created_by", "created_at")


def register(groups: Groups) -> None:
    """Add the four groups."""
    for name, (_, says) in _GROUPS.items():
        _register(groups, name, says)


def _register(groups: Groups, name: str, says: str) -> None:
    group = flags.group(groups, name, says, f"{name} list")

    command = group.verb("create", create, example=f"{name} create -f {name}.yml --set tags.team=flights")
    flags.from_file(command, required=False)
    flags.named(command, name, required=False)
    flags.version(command, label=False)
    command.add_argument("--path", help="its files, instead of --file")
    command.add_argument("-t", "--type", help="its type, such as mlflow_model or uri_folder")
    command.add_argument("-d", "--description")
    flags.tags(command)
    if name == "model":
        command.add_argument("-s", "--stage", help="such as Staging or Production")
        command.add_argument("--sample", metavar="PATH", help="a table of its inputs; its ONNX form is measured on it")
        command.add_argument("--job", metavar="NAME", help="the job that made it")
    if name == "environment":
        command.add_argument("-i", "--image", help="a container image, instead of --file")
        command.add_argument("-c", "--conda-file", metavar="YAML", help="a conda environment, instead of --file")
        command.add_argument(
            "-b", "--build-context", metavar="PATH", help="a folder with a Dockerfile, instead of --file"
        )
        command.add_argument("--dockerfile-path", metavar="PATH", help="the Dockerfile in the build context")
    flags.changes(command)

    command = group.verb("show", show, example=f"{name} show -n NAME --label latest", shared=True)
    flags.named(command, name)
    flags.version(command)
    command = group.verb(
        "list", list_, columns=_LIST, example=f"{name} list --search 'team=a stage:Production'", shared=True
    )
    flags.named(command, name, required=False)
    search.register(command)
    flags.bounded(command)
    command = group.verb(
        "update",
        update,
        example=f"{name} update -n NAME -v 1 --set tags.team=flights description='new'",
        shared=True,
    )
    flags.named(command, name)
    flags.version(command)
    command.add_argument("-d", "--description")
    command.add_argument("--stage", help="such as Staging or Production")
    flags.edited(command, "description, tags, properties, stage")
    flags.changes(command)
    command = group.verb("download", download, example=f"{name} download -n NAME -v 1 -p folder", shared=True)
    flags.named(command, name)
    flags.version(command)
    command.add_argument("-p", "--download-path", default=".", metavar="FOLDER", help="into FOLDER/NAME (default: .)")
    if name in ("model", "data"):
        command.add_argument(
            "--verify",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="hold it against its signature (default)",
        )
        command.add_argument(
            "--signature", metavar="FILE", help="keep the signature too, for `model_signing verify key`"
        )
    command = group.verb("share", share, example=f"{name} share -n NAME -v 1 --registry-name company", shared=True)
    flags.named(command, name)
    flags.version(command, required=True)
    command.add_argument("--share-with-name", metavar="NAME", help="its name there; default: the same")
    command.add_argument("--share-with-version", metavar="VERSION", help="its version there; default: the same")
    flags.changes(command)
    for verb, run in (("archive", archive), ("restore", restore)):
        command = group.verb(verb, run, example=f"{name} {verb} -n NAME -v 1", shared=True)
        flags.named(command, name)
        flags.version(command)
        flags.changes(command)
    command = group.verb("delete", delete, example=f"{name} delete -n NAME -v 1 --yes", shared=True)
    flags.named(command, name)
    flags.version(command, required=True, label=False)
    flags.deletes(command)
    flags.changes(command)
    command = group.verb("set-alias", set_alias, example=f"{name} set-alias -n NAME -v 3 --alias champion", shared=True)
    flags.named(command, name)
    flags.version(command, required=True, label=False)
    command.add_argument("--alias", required=True, help="another name for this version; it moves here")
    flags.changes(command)
    command = group.verb(
        "remove-alias", remove_alias, example=f"{name} remove-alias -n NAME --alias champion", shared=True
    )
    flags.named(command, name)
    command.add_argument("--alias", required=True)
    flags.changes(command)
    if name == "data":
        datasets.register(group)
    if name == "model":
        cards.register(group)
        explanations.register(group)
        unsupported.verb(
            group, "package", "a deployment is packaged when it is made", "model package -n NAME -v 1 -f package.yml"
        )
    for verb, command in group.verbs.choices.items():
        only_here = _CREATED.format(name) if verb == "create" else _ONLY_HERE
        command.set_defaults(assets=partial(_assets, _GROUPS[name][0]), group=name, only_here=only_here)


def create(client: Client, options: argparse.Namespace) -> Any:
    """Register a version: the one given, or the name's next."""
    keys = {
        "name": options.name,
        "version": options.version,
        "path": options.path,
        "type": options.type,
        "description": options.description,
        "stage": getattr(options, "stage", None),
        "image": getattr(options, "image", None),
        "conda_file": getattr(options, "conda_file", None),
        "build.path": getattr(options, "build_context", None),
        "build.dockerfile_path": getattr(options, "dockerfile_path", None),
    }
    assets: Assets = options.assets(client, options)
    if options.file is None and not any(keys[key] for key in ("path", "image", "conda_file", "build.path")):
        raise CommandError("give --file, or --name with --path (or --image, --conda-file, --build-context)", status=2)
    from modelyard.api.assets import GROUPS

    changes = flags.overrides(options, **keys) + flags.tagged(options)
    prepared = client.specs.prepare(options.file or {}, GROUPS[assets.kind], changes)
    return assets.register(prepared, job=getattr(options, "job", None), sample=getattr(options, "sample", None))


def show(client: Client, options: argparse.Namespace) -> Any:
    """One version: its metadata, tree, aliases, profile or conversion."""
    return options.assets(client, options).get(options.name, options.version, label=options.label)


def list_(client: Client, options: argparse.Namespace) -> Any:
    """The newest version of each name that fits; with --name that name's versions, newest first."""
    exact = options.name if options.name is not None and "*" not in options.name else None
    found = options.assets(client, options).list(
        exact,
        search=search.conditions(options),
        sort=options.sort,
        all_versions=options.all_versions,
        archived=options.include_archived or options.archived_only,
        limit=None if options.archived_only else options.max_results,
    )
    return [one for one in found if one["archived"]][: options.max_results] if options.archived_only else found


def update(client: Client, options: argparse.Namespace) -> Any:
    """Change description, tags, properties or stage: what a version is about. Its content never changes."""
    from modelyard.cli.edits import changed_metadata

    assets: Assets = options.assets(client, options)
    found = assets.get(options.name, options.version, label=options.label)
    given = {key: value for key in ("description", "stage") if (value := getattr(options, key)) is not None}
    changes = changed_metadata(found, options.edits) | given
    return assets.update(options.name, found["version"], **changes) if changes else found


def download(client: Client, options: argparse.Namespace) -> Any:
    """A version's files, verified by their digests. What is there already is not fetched again."""
    from pathlib import Path

    target = Path(options.download_path) / options.name
    assets: Assets = options.assets(client, options)
    version = str(assets.get(options.name, options.version, label=options.label)["version"])
    assets.download(options.name, version, target=target, verify=getattr(options, "verify", True))
    if (signature := getattr(options, "signature", None)) is not None:
        Path(signature).write_bytes(assets.manifest(options.name, version))
    return {"path": str(target)}


def archive(client: Client, options: argparse.Namespace) -> Any:
    """Hide a version from lists and from `latest`; without a version all of them."""
    assets: Assets = options.assets(client, options)
    if options.version is None and options.label is None:
        return assets.archive_all(options.name)
    return assets.archive(options.name, options.version, label=options.label)


def restore(client: Client, options: argparse.Namespace) -> Any:
    """Bring an archived version back; without a version all of them."""
    assets: Assets = options.assets(client, options)
    if options.label is not None:
        return assets.restore(options.name, str(assets.get(options.name, label=options.label)["version"]))
    if options.version is None:
        return assets.restore_all(options.name)
    return assets.restore(options.name, options.version)


def delete(client: Client, options: argparse.Namespace) -> None:
    """Delete a version for good. Refused while a deployment stands on it."""
    flags.confirm(options, f"Delete {options.name}:{options.version} for good?")
    options.assets(client, options).delete(options.name, options.version)


def set_alias(client: Client, options: argparse.Namespace) -> Any:
    """Let an alias such as `champion` name this version."""
    return options.assets(client, options).set_alias(options.name, options.alias, options.version)


def remove_alias(client: Client, options: argparse.Namespace) -> None:
    """Take an alias away; the version stays."""
    options.assets(client, options).remove_alias(options.name, options.alias)


def share(client: Client, options: argparse.Namespace) -> Any:
    """Copy a version into a shared registry, where other workspaces can use it."""
    if options.registry is None:
        raise CommandError("which registry? say --registry-name", status=2)
    assets: Assets = getattr(client, _GROUPS[options.group][0])
    return assets.share(
        options.name,
        options.version,
        label=options.label,
        registry=options.registry,
        as_name=options.share_with_name,
        as_version=options.share_with_version,
    )


def _assets(attribute: str, client: Client, options: argparse.Namespace) -> Assets:
    registry = getattr(options, "registry", None)
    found: Assets = getattr(client if registry is None else client.registry(registry), attribute)
    return found
