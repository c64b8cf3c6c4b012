"""Names of jobs."""

from __future__ import annotations

import re
import secrets
from typing import Final

from modelyard_platform.errors import InvalidError

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_ADJECTIVES: Final = """
amiable blue bold brave bright calm careful clever cool crimson eager frosty gentle golden happy
honest jolly keen kind lively loyal lucid mighty neat olive patient plucky proud purple quiet quick
silver sincere strong sunny teal tidy upbeat wise witty
""".split()  # noqa: SIM905 - a list of them would be a page long
_NOUNS: Final = """
apple arch atom bear bird boat book bread bridge camel cat cloud corn deer drum engine fig flower
fork frog garden guitar hat house island kettle lamp leaf lemon library lime market nut onion otter
owl pear plum quill river roof sail seed shelf ship spring square star stone tent tower train tree
turnip wall whale wheel wing yacht yam
""".split()  # noqa: SIM905 - a list of them would be a page long


def generate() -> str:
    """A name such as `brave_otter_x1k09z`: easy to say, and new."""
    tail = "".join(secrets.choice(_LETTERS) for _ in range(6))
    return f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_NOUNS)}_{tail}"


def check(name: str) -> str:
    """The name itself. Raises InvalidError, saying what names of jobs look like (they are part of NATS subjects: no dots)."""
    if not _NAME.fullmatch(name):
        raise InvalidError(
            f"job name {name[:120]!r} is not allowed: 1 to 100 of A-Z a-z 0-9 _ -, beginning with a letter or digit",
            path="name",
        )
    return name
