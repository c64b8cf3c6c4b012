"""`modelyard promotion | token | dead-letter …`: what was decided, who may come in, what could not be handled."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups

if TYPE_CHECKING:
    from modelyard.client import Client

_PROMOTIONS: Final = ("model", "candidate", "champion", "status", "detail", "decided_by", "created_at")
_TOKENS: Final = ("name", "role", "created_by", "created_at", "expires_at")
_LETTERS: Final = ("sequence", "consumer", "subject", "reason", "at")


def register(groups: Groups) -> None:
    """Add the three groups."""
    says = "candidates judged against the champion"
    example = (
        "promotion request --model m --candidate 4 --criterion 'candidate.auc > champion.auc' --evidence figures.json"
    )
    group = flags.group(groups, "promotion", says, example)
    command = group.verb("request", request, example=example)
    command.add_argument("--model", required=True, metavar="NAME")
    command.add_argument("--candidate", required=True, metavar="VERSION", help="or @LABEL")
    command.add_argument(
        "--criterion", required=True, help="what must hold, such as `candidate.auc >= champion.auc + 0.005`"
    )
    command.add_argument(
        "--evidence", required=True, metavar="FILE", help="JSON or YAML with `candidate` and `champion`: their figures"
    )
    flags.changes(command)
    command = group.verb("list", promotions, columns=_PROMOTIONS, example="promotion list --model flight-delay")
    command.add_argument("--model", metavar="NAME")
    flags.bounded(command)

    group = flags.group(groups, "token", "who may come in", "token create -n ci --role contributor --days 90")
    command = group.verb("create", create_token, example="token create -n ci --role contributor --days 90")
    flags.named(command, "token")
    command.add_argument("--role", required=True, choices=("reader", "contributor", "deployer", "owner"))
    command.add_argument("--days", type=flags.count, help="how long it holds; default: until it is deleted")
    flags.changes(command)
    group.verb("list", tokens, columns=_TOKENS, example="token list")
    command = group.verb("delete", delete_token, example="token delete -n ci --yes")
    flags.named(command, "token")
    flags.deletes(command)
    flags.changes(command)

    group = flags.group(groups, "dead-letter", "messages that could not be handled", "dead-letter list")
    command = group.verb("list", dead_letters, columns=_LETTERS, example="dead-letter list -o table")
    flags.bounded(command)
    command = group.verb("replay", replay, example="dead-letter replay 12")
    command.add_argument("sequence", type=flags.count, help="as `dead-letter list` shows it")


def request(client: Client, options: argparse.Namespace) -> Any:
    """Judge a candidate by a criterion, on figures measured on the same rows. Exit status 1 when it is rejected."""
    evidence = _evidence(Path(options.evidence))
    found = client.promotions.request(options.model, options.candidate, criterion=options.criterion, evidence=evidence)
    if found["status"] != "approved":
        from modelyard.cli.output import show

        show(found, options)
        raise CommandError(f"{options.model}:{found['candidate']} was {found['status']}: {found['detail']}")
    return found


def promotions(client: Client, options: argparse.Namespace) -> Any:
    """Decisions, newest first."""
    return client.promotions.list(options.model, limit=options.max_results)


def create_token(client: Client, options: argparse.Namespace) -> Any:
    """Make a token. It is shown this once."""
    return client.tokens.create(options.name, options.role, days=options.days)


def tokens(client: Client, _: argparse.Namespace) -> Any:
    """Whose tokens there are, not the tokens."""
    return client.tokens.list()


def delete_token(client: Client, options: argparse.Namespace) -> None:
    """Revoke a token."""
    flags.confirm(options, f"Revoke token {options.name}?")
    client.tokens.delete(options.name)


def dead_letters(client: Client, options: argparse.Namespace) -> Any:
    """Messages that could not be handled, newest first, each with its reason."""
    return client.dead_letters.list(limit=options.max_results)


def replay(client: Client, options: argparse.Namespace) -> Any:
    """Send a message again to where it failed, once the reason is mended."""
    return client.dead_letters.replay(options.sequence)


def _evidence(path: Path) -> dict[str, Any]:
    from modelyard_specs.yaml_source import read

    found = read(path).value
    if not isinstance(found, dict) or not isinstance(found.get("candidate"), dict):
        raise CommandError(
            f"{path}: evidence is a mapping with `candidate` and `champion`, each side's figures", status=2
        )
    return found
