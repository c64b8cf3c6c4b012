"""`modelyard model card …` and `modelyard model verify`: what a model is, and whether it is what was registered."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError

if TYPE_CHECKING:
    from modelyard.client import Client

_SECTIONS: Final = ("intended_use", "out_of_scope", "limitations", "ethics", "caveats", "contact")


def register(group: flags.Group) -> None:
    """Add the commands to `model`."""
    cards = flags.group(group.verbs, "card", "what is known of a model, as a page", "model card show -n NAME -v 1")
    command = cards.verb("show", show, draw=str, example="model card show -n NAME --label champion")
    flags.named(command, "model")
    flags.version(command)
    command = cards.verb(
        "edit", edit, example="model card edit -n NAME -v 1 --section limitations='Flights of 2013 only.'"
    )
    flags.named(command, "model")
    flags.version(command)
    command.add_argument("-f", "--file", metavar="YAML", help="sections with their texts")
    command.add_argument(
        "--section",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help=f"write a section, or remove it with an empty text: {', '.join(_SECTIONS)}",
    )
    flags.changes(command)
    command = cards.verb("export", export, example="model card export -n NAME -v 1 -p CARD.md")
    flags.named(command, "model")
    flags.version(command)
    command.add_argument("-p", "--path", metavar="FILE", help="default: standard output")

    command = group.verb("verify", verify, example="model verify -n NAME -v 1 --folder downloaded")
    flags.named(command, "model")
    flags.version(command)
    command.add_argument(
        "--folder",
        metavar="FOLDER",
        help="files as `model download` made them; default: those stored, which are fetched",
    )
    command.add_argument(
        "--public-key", metavar="FILE", help="the key that you trust (PEM); default: the registry's own"
    )


def show(client: Client, options: argparse.Namespace) -> Any:
    """A model version's card: what made it, how good it is, where it is deployed, and what people say of it."""
    if options.output in {"json", "yaml", "tsv"} or options.query:
        return client.models.card(options.name, options.version, label=options.label)
    return client.models.card_markdown(options.name, options.version, label=options.label).rstrip()


def edit(client: Client, options: argparse.Namespace) -> Any:
    """Write the sections that are people's. What is generated cannot be written."""
    sections: dict[str, str | None] = {}
    if options.file is not None:
        from modelyard_specs.yaml_source import read

        found = read(Path(options.file)).value
        if not isinstance(found, dict):
            raise CommandError(f"{options.file}: a mapping of sections to texts is expected", status=2)
        sections |= {str(name): None if text is None else str(text) for name, text in found.items()}
    for given in options.section:
        name, equals, text = given.partition("=")
        if not equals:
            raise CommandError(f"--section {given}: a section is NAME=TEXT", status=2)
        sections[name] = text or None
    if not sections:
        raise CommandError("nothing to write: give --section or --file", status=2)
    return client.models.edit_card(options.name, options.version, label=options.label, sections=sections)


def export(client: Client, options: argparse.Namespace) -> None:
    """Write the card as Markdown."""
    text = client.models.card_markdown(options.name, options.version, label=options.label)
    if options.path is None:
        sys.stdout.write(text)
    else:
        Path(options.path).write_text(text, encoding="utf-8")


def verify(client: Client, options: argparse.Namespace) -> Any:
    """Hold a model's files against the manifest that was signed when it was registered. Exit status 1 when they differ."""
    key = None if options.public_key is None else Path(options.public_key).read_text(encoding="utf-8")
    return client.models.verify(
        options.name, options.version, label=options.label, folder=options.folder, public_key=key
    )
