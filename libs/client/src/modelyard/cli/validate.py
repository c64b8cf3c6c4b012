"""`modelyard validate PATH…`: files and folders checked without a server."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from modelyard.cli import options as flags
from modelyard.cli.options import CommandError, Groups


def register(groups: Groups) -> None:
    """Add the command."""
    command = flags.Group("validate", groups).verb(
        "validate", validate, draw=lines, example="validate examples/flights -o json"
    )
    command.add_argument(
        "paths", nargs="+", metavar="PATH", help="a file, or a folder whose .yml and .yaml files are checked"
    )
    command.set_defaults(offline=True)


def validate(options: argparse.Namespace) -> Any:
    """Check specifications without a server: one line a file, with the line, column and key of what is wrong.

    Status: ok, unsupported (refused for a stated reason), template (unfilled {{…}}), empty, other (YAML that is no specification)
    or error. Of a single file every finding is told. Exit status 2 when any file has an error.
    """
    from modelyard.cli.output import show
    from modelyard_specs.survey import survey_paths

    verdicts = list(survey_paths(options.paths))
    show([verdict.as_json() for verdict in verdicts], options)
    if len(verdicts) == 1:
        for problem in verdicts[0].problems[1:]:
            print(problem, file=sys.stderr)
    failed = sum(verdict.status == "error" for verdict in verdicts)
    if failed:
        raise CommandError(f"{failed} of {len(verdicts)} files {'has' if failed == 1 else 'have'} an error", status=2)


def lines(verdicts: list[dict[str, Any]]) -> str:
    """One line a file."""
    width = max((len(verdict["status"]) for verdict in verdicts), default=0)
    return "\n".join(f"{verdict['status']:<{width}}  {_said(verdict)}" for verdict in verdicts)


def _said(verdict: dict[str, Any]) -> str:
    # what is no specification is named in its detail
    what = (
        "" if verdict["status"] == "other" else " ".join(str(verdict[key]) for key in ("kind", "name") if verdict[key])
    )
    ignored = f"without effect: {', '.join(verdict['ignored_keys'])}" if verdict["ignored_keys"] else ""
    # a finding begins with its line and column, which belong to the path
    place = ":" if verdict["detail"][:1].isdigit() else ": "
    said = "; ".join(part for part in (verdict["detail"], what, ignored) if part)
    return f"{verdict['path']}{place}{said}" if said else str(verdict["path"])
