"""The command line's flags, the same for every command that has them."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from modelyard.client import Client

Groups: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse gives it no other name
Command = Callable[..., Any]
"""Does it, given a Client and the options (offline: the options alone), and answers what is to be printed; None prints nothing."""

_IGNORED: Final = (
    ("-g", "--resource-group"),
    ("-w", "--workspace-name"),
    ("--subscription",),
    ("--registry-name",),
    ("--only-show-errors",),
    ("--debug",),
    ("--verbose",),
)
_WITHOUT_VALUE: Final = frozenset({"--only-show-errors", "--debug", "--verbose"})
_FORMATS: Final = ("json", "yaml", "table", "tsv", "none")


def _format(name: str) -> str:
    """`az` has coloured forms of two of them too."""
    return {"jsonc": "json", "yamlc": "yaml"}.get(name, name)


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
        self,
        name: str,
        run: Command,
        *,
        example: str,
        columns: Sequence[str] = (),
        shared: bool = False,
        draw: Callable[[Any], str] | None = None,
    ) -> argparse.ArgumentParser:
        """A command; its help is the docstring of `run`. `columns` make it one that prints a list, as a table by default.

        `shared`: it can look into a shared registry (`--registry-name`). `draw` gives a person's view of a document that is no list.
        """
        says = inspect.getdoc(getattr(run, "func", run)) or ""
        command = self.verbs.add_parser(
            name,
            help=says.partition(":")[0] if ":" in says.partition(".")[0] else says.partition(".")[0],
            description=says,
            epilog=f"example:\n  modelyard {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        shown = command.add_argument_group("output")
        shown.add_argument("-o", "--output", type=_format, choices=_FORMATS, help="how to print it")
        shown.add_argument("--query", metavar="JMESPATH", help="what of it to print, such as `[0].name`")
        if shared:
            command.add_argument("--registry-name", dest="registry", metavar="REGISTRY", help="in this shared registry")
        for flags in _IGNORED:
            if shared and flags == ("--registry-name",):
                continue
            action = "store_true" if flags[-1] in _WITHOUT_VALUE else "append"
            command.add_argument(*flags, dest="ignored_" + flags[-1].strip("-"), action=action, help=argparse.SUPPRESS)
        command.set_defaults(command=run, run=_run, columns=tuple(columns), draw=draw)
        return command


def group(groups: Groups, name: str, says: str | None, example: str) -> Group:
    """A new group of commands. One that says nothing of itself is not listed."""
    listed: dict[str, Any] = {} if says is None else {"help": says}
    parser = groups.add_parser(
        name,
        **listed,
        description=f"{says[:1].upper()}{says[1:]}." if says is not None else None,
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


def edited(command: argparse.ArgumentParser, what: str) -> None:
    """`--set`, `--add`, `--remove`, in the order in which they are given, on what is there."""
    for flag, says, form in (
        ("--set", "change a value; may be repeated", "A.B=C"),
        ("--add", "append to a list: its path, then values or KEY=VALUE", "A.B VALUE"),
        ("--remove", "take a key away, or an item of a list by its index", "A.B"),
    ):
        command.add_argument(
            flag,
            dest="edits",
            action=_Edit,
            nargs="+",
            default=[],
            metavar=tuple(form.split()) if " " in form else form,
            help=f"{says} ({what})" if flag == "--set" else says,
        )


class _Edit(argparse.Action):
    """Keeps edits with their verbs, in order."""

    def __call__(self, _: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_more: object) -> None:
        verb = self.option_strings[0].removeprefix("--")
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), (verb, values)])


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


def web(command: argparse.ArgumentParser, *short: str) -> None:
    """`--web`."""
    command.add_argument(*short, "--web", action="store_true", help="open its page")


def tags(command: argparse.ArgumentParser) -> None:
    """`--tags`."""
    command.add_argument("--tags", nargs="+", default=[], metavar="KEY=VALUE", help="over those of the specification")


def tagged(options: argparse.Namespace) -> list[str]:
    """`--tags` as changes of the specification. Raises CommandError."""
    import json

    given = [tag.partition("=") for tag in options.tags or ()]
    for key, equals, value in given:
        if not equals or not key:
            raise CommandError(f"--tags {key or '='}{value}: write KEY=VALUE", status=2)
    return [f'tags."{key}"={json.dumps(value)}' for key, _, value in given]


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
    if options.query:
        from modelyard.cli.output import check

        check(options.query)
    if getattr(options, "edits", None):
        from modelyard.cli.edits import check_edits

        check_edits(options.edits)
    for name, refusal in getattr(options, "refusals", {}).items():
        if getattr(options, f"refused_{name}"):
            raise CommandError(f"--{name}: {refusal}")
    only_here = getattr(options, "only_here", None)
    if only_here and getattr(options, "ignored_registry-name", None) and not getattr(options, "takes_any", False):
        raise CommandError(f"--registry-name: {only_here}")
    ignored = [name for name, value in vars(options).items() if name.startswith("ignored_") and value]
    if ignored and not getattr(options, "takes_any", False):
        said = ", ".join(f"--{name.removeprefix('ignored_')}" for name in ignored)
        print(f"note: {said} means nothing here and was passed over", file=sys.stderr)
    if getattr(options, "offline", False):
        return _print(options.command(options), options)
    # httpx's own command line costs 0.1 s, and nobody here needs it
    sys.modules.setdefault("httpx._main", ModuleType("httpx._main"))
    from modelyard.client import Client

    reason: str | None = getattr(options, "reason", None)
    with Client(reason=reason, because=getattr(options, "because", None)) as client:
        return _print(options.command(client, options), options)


def _print(document: Any, options: argparse.Namespace) -> int:
    if document is not None:
        from modelyard.cli.output import show

        show(document, options)
    return 0
