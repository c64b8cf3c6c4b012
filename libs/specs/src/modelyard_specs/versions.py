"""The order of versions: ``9`` before ``10``, ``1.2.0rc1`` before ``1.2.0``, ``1.0`` before ``1.0.1``.

For versions as users write them, which are text: numbers, dotted numbers, dates, git digests. Runs of digits compare as
numbers and everything else as text; what follows the point of a release goes after it, and a word straight behind a
number (``rc1``, ``-beta``) before it. A total order: versions that compare equal otherwise (``1`` and ``01``) go by
their text.
"""

import re

_PARTS = re.compile(r"\d+|[^\d._+-]+|[._+-]")

Key = tuple[tuple[tuple[int, int, str], ...], str]


def version_key(version: str) -> Key:
    """A sort key: ``sorted(versions, key=version_key)`` puts the newest last."""
    parts: list[tuple[int, int, str]] = []
    for part in _PARTS.findall(version):
        if part.isascii() and part.isdigit():
            parts.append((3, int(part), "") if len(part) <= 4000 else (4, len(part.lstrip("0")), part.lstrip("0")))
        elif part in {".", "+"}:
            parts.append((2, 0, part))
        elif part in {"-", "_"}:
            parts.append((0, 0, part))
        else:
            parts.append((0, 1, part.casefold()))
    return (*parts, (1, 0, "")), version
