"""The command line's flags, the same for every command that has them."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from modelyard.client import Client

Groups: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse gives it no other name
Command = Callable[["Client", argparse.Namespace], Any]
"""Does it, and answers what is to be printed; None prints nothing."""

_IGNORED: Final = (
    ("-g", "--resource-group"),
    ("-w", "--workspace-name"),
    ("--subscription",),
    ("--registry-name",),
    ("--only-show-errors",),
    ("--skip-script-validation",),
)
_WITHOUT_VALUE: Final = frozenset({"--only-show-errors", "--skip-script-validation"})


class CommandError(Exception):
    """What was asked for did not come about; the message is for a person. Exit status 1, or `status`."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Group:
    """A group of commands, `modelyard <name> …`."""

    name: str
    verbs: Groups

    def verb(
        self, name: str, run: Command, *, example: str, columns: Sequence[str] = (), aliases: Sequence[str] = ()
    ) -> argparse.ArgumentParser:
        """A command; its help is the docstring of `run`. `columns` make it one that prints a list, as a table by default."""
        says = inspect.getdoc(run) or ""
        command = self.verbs.add_parser(
            name,
            aliases=list(aliases),
            help=says.partition(":")[0] if ":" in says.partition(".")[0] else says.partition(".")[0],
            description=says,
            epilog=f"example:\n  modelyard {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        shown = command.add_argument_group("output")
        shown.add_argument("-o", "--output", choices=("json", "yaml", "table", "tsv"), help="how to print it")
        shown.add_argument("--query", metavar="JMESPATH", help="what of it to print, such as `[0].name`")
        for flags in _IGNORED:
            action = "store_true" if flags[-1] in _WITHOUT_VALUE else "append"
            command.add_argument(*flags, dest="ignored_" + flags[-1].strip("-"), action=action, help=argparse.SUPPRESS)
        command.set_defaults(command=run, run=_run, columns=tuple(columns), shown_as=f"{self.name} {name}")
        return command


def group(groups: Groups, name: str, says: str, example: str) -> Group:
    """A new group of commands."""
    parser = groups.add_parser(
        name,
        help=says,
        description=says[:1].upper() + says[1:] + ".",
        epilog=f"example:\n  modelyard {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return Group(name, parser.add_subparsers(title="commands", metavar="COMMAND", required=True))


def from_file(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """`--file` and `--set`."""
    command.add_argument("-f", "--file", required=required, metavar="YAML", help="the specification")
    command.add_argument(
        "--set", action="append", nargs="+", default=[], metavar="A.B=C", help="change a value of it; may be repeated"
    )


def named(command: argparse.ArgumentParser, what: str, *, required: bool = True) -> None:
    """`--name`."""
    command.add_argument("-n", "--name", required=required, help=f"the {what}'s name")


def version(command: argparse.ArgumentParser, *, required: bool = False, label: bool = True) -> None:
    """`--version`, or `--label`."""
    if not label:
        command.add_argument("-v", "--version", required=required)
        return
    either = command.add_mutually_exclusive_group(required=required)
    either.add_argument("-v", "--version", help="default: the latest")
    either.add_argument("-l", "--label", help="`latest`, or an alias such as `champion`")


def endpoint_name(command: argparse.ArgumentParser, *, required: bool = True) -> None:
    """`--endpoint-name`."""
    command.add_argument("-e", "--endpoint-name", required=required, metavar="ENDPOINT")


def changes(command: argparse.ArgumentParser) -> None:
    """`--reason` and `--because`: what `modelyard why` tells later."""
    why = command.add_argument_group("why")
    why.add_argument("--reason", help="kept with what this changes")
    why.add_argument("--because", metavar="EVENT_ID", help="the event this follows from")


def bounded(command: argparse.ArgumentParser) -> None:
    """`--max-results`."""
    command.add_argument("-r", "--max-results", type=count, default=100, help="at most so many (default: %(default)s)")


def deletes(command: argparse.ArgumentParser) -> None:
    """`--yes`."""
    command.add_argument("-y", "--yes", action="store_true", help="do not ask")


def web(command: argparse.ArgumentParser) -> None:
    """`--web`."""
    command.add_argument("--web", action="store_true", help="open its page")


def overrides(options: argparse.Namespace, **values: str | None) -> list[str]:
    """What goes over the specification: `--set`, then the flags that name a key of it."""
    from modelyard.api.specs import overrides_of

    return [change for given in options.set for change in given] + overrides_of(values)


def confirm(options: argparse.Namespace, question: str) -> None:
    """Ask before something goes for good. Raises CommandError when the answer is no, or nobody is there to give one."""
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Nobody is there to answer: say --yes", status=2)
    print(f"{question} (y/n): ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise CommandError("nothing was done")


def open_page(client: Client, fragment: str) -> None:
    """Open the page where people look, and say where it is."""
    import webbrowser

    page = f"{client.url}/#{fragment}"
    print(f"Web View: {page}", file=sys.stderr)
    if sys.stdout.isatty():
        webbrowser.open(page)


def count(text: str) -> int:
    """A whole number above zero."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from modelyard.cli.output import check, show
    from modelyard.client import Client

    if options.query:
        check(options.query)
    ignored = [name for name, value in vars(options).items() if name.startswith("ignored_") and value]
    if ignored:
        flags = ", ".join(f"--{name.removeprefix('ignored_')}" for name in ignored)
        print(f"note: {flags} means nothing here and was passed over", file=sys.stderr)
    reason, because = getattr(options, "reason", None), getattr(options, "because", None)
    with Client(reason=reason, because=because) as client:
        document = options.command(client, options)
        if document is not None:
            show(document, options)
    return 0
