"""Why a deployment failed, in words for the one who has to mend it."""

from __future__ import annotations

import re
from typing import Final

_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_SCRIPT: Final = "ScriptNotStartedError: "


def readable(message: str) -> str:
    """Ray's account of a failed start without its colours; of a score script's, only what the script itself said.

    Ray wraps the traceback of the user's `init()` in its own, once for each try.
    """
    plain = _ANSI.sub("", message).strip()
    return plain.rsplit(_SCRIPT, 1)[-1].strip()
