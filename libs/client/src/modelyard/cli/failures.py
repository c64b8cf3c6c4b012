"""What went wrong, in a sentence and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Final

from modelyard.cli.options import CommandError

FAILED: Final = 1
BAD_INPUT: Final = 2
_BAD_REQUEST: Final = frozenset({400, 413, 422})


def explain(error: Exception) -> int:
    """Say it on the error output and answer the exit status. `MODELYARD_DEBUG=1` adds where it happened."""
    if os.environ.get("MODELYARD_DEBUG"):
        traceback.print_exception(error)
    lines, status = _explained(error)
    for line in lines:
        print(line, file=sys.stderr)
    return status


def _explained(error: Exception) -> tuple[list[str], int]:
    from modelyard.errors import ModelyardError, UploadError

    if "modelyard_specs" in sys.modules:  # what was not imported has raised nothing
        from modelyard_specs import SpecError

        if isinstance(error, SpecError):
            return [str(problem) for problem in error.problems], BAD_INPUT
    match error:
        case UploadError():
            return [f"modelyard: {error.detail}"], BAD_INPUT
        case ModelyardError():
            return _refused(error), BAD_INPUT if error.status in _BAD_REQUEST else FAILED
        case CommandError():
            return [f"modelyard: {error}"], error.status
        case OSError() if error.filename is not None:
            return [f"modelyard: {error.filename}: {error.strerror}"], BAD_INPUT
        case TimeoutError():
            return [f"modelyard: {error}"], FAILED
        case _ if type(error).__name__ == "StackError":  # its module is not imported just to know it
            return [f"modelyard: {error}"], FAILED
        case _:
            return [f"modelyard: unexpected {type(error).__name__}: {error} (MODELYARD_DEBUG=1 shows where)"], FAILED


def _refused(error: object) -> list[str]:
    from modelyard.errors import ModelyardError

    assert isinstance(error, ModelyardError)
    if not error.errors:
        place = f"line {error.line}: " if error.line else ""
        return [f"modelyard: {place}{error.detail}"]
    lines = []
    for found in error.errors:
        place = ":".join(str(found[key]) for key in ("line", "column") if found.get(key))
        text = ": ".join(
            part for part in (place, str(found.get("path") or ""), str(found.get("message") or "")) if part
        )
        text += f"; expected {found['expected']}" if found.get("expected") else ""
        text += f"; did you mean `{found['suggestion']}`?" if found.get("suggestion") else ""
        lines.append(f"modelyard: {text}")
    return lines
