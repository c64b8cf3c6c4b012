"""The flags of `list` that look for versions, as the one search string that the service takes."""

from __future__ import annotations

import argparse
import shlex
from typing import Final

_WORDS: Final = (
    ("--type", "type", "NAME", "of this type, such as mlflow_model"),
    ("--flavour", "flavour", "NAME", "with this flavour, such as sklearn or onnx"),
    ("--stage", "stage", "NAME", "in this stage"),
    ("--created-by", "by", "ACTOR", "made by, such as user:ada"),
    ("--created-after", "after", "DATE", "made at or after, such as 2026-11-01"),
    ("--created-before", "before", "DATE", "made before"),
    ("--used-by", "used-by", "SUBJECT", "that something stands on, such as 'endpoints/*'"),
)


def register(command: argparse.ArgumentParser) -> None:
    """Add the flags."""
    found = command.add_argument_group("search", "all that is given must hold")
    found.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="CONDITIONS",
        help="`team=flights stage:Production by:user:ada name:fl* …` or words to find in name, description and tags",
    )
    found.add_argument(
        "--tag", action="append", default=[], metavar="NAME[=VALUE]", help="with this tag; may be repeated"
    )
    for flag, word, metavar, says in _WORDS:
        found.add_argument(*(("-s", flag) if word == "stage" else (flag,)), metavar=metavar, help=says)
    found.add_argument(
        "--sort", metavar="KEY", help="name, created_at or version; `--sort=-created_at` for the newest first"
    )
    found.add_argument("--all-versions", action="store_true", help="not only the newest of each name")
    archived = found.add_mutually_exclusive_group()
    archived.add_argument("--include-archived", action="store_true", help="archived ones too")
    archived.add_argument("--archived-only", action="store_true", help="archived ones and no others")


def conditions(options: argparse.Namespace) -> str | None:
    """All conditions as one string; None when there are none."""
    words = list(options.search)
    words += [shlex.quote(tag) if "=" in tag else shlex.quote(f"tag:{tag}") for tag in options.tag]
    for flag, word, _, _ in _WORDS:
        value = getattr(options, flag.strip("-").replace("-", "_"))
        if value is not None:
            words.append(shlex.quote(f"{word}:{value}"))
    if options.name is not None and "*" in options.name:
        words.append(shlex.quote(f"name:{options.name}"))
    return " ".join(words) or None
