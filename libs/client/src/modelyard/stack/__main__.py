"""A supervisor without a terminal: `python -m modelyard.stack HOME [PART…]`."""

import asyncio
import sys
from pathlib import Path

from modelyard.stack import services
from modelyard.stack.control import up
from modelyard.stack.layout import Layout, StackError


def main() -> int:
    home, *names = sys.argv[1:]
    try:
        asyncio.run(up(Layout.open(Path(home)), tuple(names) or services.ALL))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
