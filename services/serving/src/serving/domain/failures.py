"""Why a deployment failed, in words for the one who has to mend it."""

from __future__ import annotations

import re
from typing import Final

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_SCRIPT: Final = "ScriptNotStartedError: "
_REFUSED: Final = re.compile(
    r"IntegrityError: (?P<what>(?P<subject>(?:registries/)?[^/\s]+/models/[^/\s]+/versions/[^/\s]+(?:/conversion)?) is refused: [^\n]+)"
)


def refused(message: str) -> str | None:
    """The subject of the model version that a replica has refused, since it is not what was signed; None for other failures."""
    match = _refusal(_ANSI.sub("", message))
    return None if match is None else match["subject"]


def refusal(message: str) -> str | None:
    """What was refused and why, `SUBJECT is refused: …`; None for other failures."""
    match = _refusal(_ANSI.sub("", message))
    return None if match is None else match["what"]


def readable(message: str) -> str:
    """Ray's account of a failed start without its colours; of a score script's, only what the script itself said.

    Ray wraps the traceback of the user's `init()` in its own, once for each try.
    """
    plain = _ANSI.sub("", message).strip()
    if (match := _refusal(plain)) is not None:
        return match["what"]
    return plain.rsplit(_SCRIPT, 1)[-1].strip()


def _refusal(plain: str) -> re.Match[str] | None:
    """Where a replica refuses a model: before any script has started, so what a script writes counts for nothing."""
    return _REFUSED.search(plain.partition(_SCRIPT)[0])
