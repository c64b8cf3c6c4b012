"""The command line, `modelyard <group> <verb>`: each module named here registers its commands, this one chooses among them."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

_MODULES: Final = ("stack", "assets", "jobs", "endpoints", "deployments", "automation", "events", "governance", "apply")
_INTERRUPTED: Final = 130
_EXAMPLE: Final = """example:
  modelyard up --detach
  modelyard job create -f pipeline.yml --stream
  modelyard COMMAND --help"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit status: 0; 1 when it failed; 2 for bad input or a command line that makes no sense."""
    parser = argparse.ArgumentParser(
        prog="modelyard",
        description="An open, self-hosted, event-driven MLOps platform.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=True,
    )
    groups = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _MODULES:
        import_module(f"{__name__}.{name}").register(groups)
    options = parser.parse_args(arguments)
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
