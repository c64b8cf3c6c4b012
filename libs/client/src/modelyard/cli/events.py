"""`modelyard event …` and `modelyard why …`: what happened, and what made things as they are."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, Final

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups
from modelyard.cli.output import short_time
from modelyard.cli.words import in_words

if TYPE_CHECKING:
    from modelyard.client import Client

_LIST: Final = ("time", "type", "subject", "actor", "reason", "id")
_ENTITIES: Final = (
    "endpoint", "deployment", "model", "data", "environment", "component", "job", "monitor", "trigger",
)  # fmt: skip


def register(groups: Groups) -> None:
    """Add `event` and `why`."""
    group = flags.group(groups, "event", "what happened, and what is happening", "event stream --type 'drift.*'")
    command = group.verb("list", list_, columns=_LIST, example="event list --type model.registered -o table")
    command.add_argument("--type", help="such as model.registered")
    command.add_argument("--subject", help="such as models/flight-delay/versions/3")
    command.add_argument("--correlation", metavar="ID", help="all that followed from one request")
    flags.bounded(command)
    command = group.verb("stream", stream, example="event stream --type 'drift.*' --type 'promotion.*' -o json")
    command.add_argument("--type", action="append", default=[], metavar="PATTERN", help="may be repeated")
    command.add_argument("--subject", action="append", default=[], metavar="PATTERN", help="may be repeated")
    command.add_argument("--since", metavar="POSITION", help="0: from the first that is kept; default: from now on")

    command = flags.Group("why", groups).verb("why", why, example="why endpoint/flight-delay")
    command.add_argument("what", metavar="ENTITY/NAME", help="endpoint/NAME, model/NAME:VERSION or job/NAME")


def list_(client: Client, options: argparse.Namespace) -> Any:
    """Events, newest first."""
    return client.events.list(
        type=options.type, subject=options.subject, correlation=options.correlation, limit=options.max_results
    )


def stream(client: Client, options: argparse.Namespace) -> None:
    """Events as they happen, one a line, until Ctrl-C. With `-o json` each line is a CloudEvent."""
    for event in client.events.stream(types=options.type, subjects=options.subject, since=options.since):
        if options.output == "json":
            print(json.dumps(event, ensure_ascii=False), flush=True)
            continue
        short = event["type"].removeprefix("modelyard.").rsplit(".", 1)[0]
        said = in_words(short, event["subject"], event["data"])
        print(f"{short_time(event['time'])}  {short:<24} {said}, by {event['actor']}", flush=True)


def why(client: Client, options: argparse.Namespace) -> Any:
    """What made an endpoint, a model version or a job what it is: the chain of events, oldest first."""
    entity, _, name = options.what.partition("/")
    entity = entity if entity in _ENTITIES else entity.removesuffix("s")
    if entity not in _ENTITIES or not name:
        raise CommandError(
            f"{options.what}: say what of it, such as endpoint/NAME, model/NAME:VERSION or job/NAME; "
            f"it may be {', '.join(_ENTITIES)}",
            status=2,
        )
    found = client.why(entity, name.replace("/versions/", ":"))
    if options.query or options.output:
        return found
    print(told(found["chain"]))
    return None


def told(chain: list[dict[str, Any]]) -> str:
    """A chain for people: when, what, by whom, why, because of which of the facts above."""
    numbers = {fact["id"]: number for number, fact in enumerate(chain, 1)}
    width = len(str(len(chain)))
    lines = []
    for fact in chain:
        said = in_words(fact["type"], fact["subject"], fact["data"])
        lines.append(f"[{numbers[fact['id']]:>{width}}]  {short_time(fact['time'])}  {said}")
        grounds = sorted(numbers[id_] for id_ in fact["because"] if id_ in numbers)
        because = f", because of {', '.join(f'[{number}]' for number in grounds)}" if grounds else ""
        reason = f': "{fact["reason"]}"' if fact["reason"] else ""
        lines.append(f"{' ' * (width + 26)}by {fact['actor']}{reason}{because}")
    return "\n".join(lines)
