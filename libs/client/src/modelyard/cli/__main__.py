"""`python -m modelyard.cli` is `modelyard`."""

import sys

from modelyard.cli import main

if __name__ == "__main__":
    sys.exit(main())
