"""The command line, `modelyard <group> <verb>`: each module of this package registers its commands, this one chooses among them."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and answer its exit status (2 for a command line that makes no sense)."""
    parser = argparse.ArgumentParser(
        prog="modelyard", description="An open, self-hosted, event-driven MLOps platform.", allow_abbrev=True
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in iter_modules(__path__, f"{__name__}."):
        register = getattr(import_module(module.name), "register", None)
        if register is not None:
            register(subparsers)
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # who read our output has gone, and nobody is left to tell
        return 1
