"""The command line, `modelyard <group> <verb>`: each module named here registers its commands, this one chooses among them."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

_COMMANDS: Final = {
    "stack": ("up", "down", "status", "logs"),
    "assets": ("model", "data", "environment", "component"),
    "jobs": ("job",),
    "endpoints": ("online-endpoint",),
    "deployments": ("online-deployment",),
    "automation": ("schedule", "trigger", "monitor", "subscription"),
    "events": ("event", "why"),
    "governance": ("promotion", "token", "dead-letter"),
    "apply": ("apply",),
    "validate": ("validate",),
    "lineage": ("lineage", "audit"),
    "workspaces": ("workspace", "registry"),
    "resources": ("compute", "datastore", "connection"),
    "unsupported": (
        "batch-endpoint", "batch-deployment", "serverless-endpoint", "marketplace-subscription", "feature-set", "feature-store",
        "feature-store-entity", "index", "virtual-cluster", "capability-host", "deployment-template", "azure-openai-deployment",
    ),
    "configuration": ("configure",),
    "completion": ("completion",),
}  # fmt: skip
"""The modules and what they register. Only what was asked for is imported."""
_INTERRUPTED: Final = 130
_COMPLETES: Final = "_ARGCOMPLETE"
"""Set by the shell's completion (argcomplete's protocol)."""
_EXAMPLE: Final = """example:
  modelyard up --detach
  modelyard job create -f pipeline.yml --stream
  modelyard COMMAND --help"""


def read(given: Sequence[str]) -> argparse.Namespace:
    """What a command line asks for. Raises SystemExit (2) when it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="modelyard",
        description="An open, self-hosted, event-driven MLOps platform.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=True,
    )
    groups = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if _COMPLETES in os.environ:
        from modelyard.cli.completion import typed

        given = typed()
    owners = [module for module, names in _COMMANDS.items() if given and given[0] in names]
    for module in owners or _COMMANDS:
        import_module(f"{__name__}.{module}").register(groups)
    from modelyard.cli.azure import accept

    accept(groups)
    if _COMPLETES in os.environ:
        from modelyard.cli.completion import complete

        complete(parser)
    options, unknown = parser.parse_known_args(given)
    if unknown and not getattr(options, "takes_any", False):
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit status: 0; 1 when it failed; 2 for bad input or a command line that makes no sense."""
    options = read(sys.argv[1:] if arguments is None else arguments)
    told = _tell()
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has gone, and nobody is left to tell
        return 1
    except Exception as error:  # noqa: BLE001 - the last place: people get a sentence, not a traceback
        from modelyard.cli.failures import explain

        return explain(error)
    finally:
        logging.getLogger("modelyard").removeHandler(told)


def _tell() -> logging.Handler:
    """What the SDK logs is for the person at the terminal: it goes to the error output, and never into what is piped on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("note: %(message)s"))
    logger = logging.getLogger("modelyard")
    logger.addHandler(handler)
    logger.propagate = False
    return handler
