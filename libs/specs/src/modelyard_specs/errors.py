"""What is wrong with a specification: where, what was expected, and what was probably meant."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

KeyPath = tuple[str | int, ...]

Code = Literal[
    "invalid", "syntax", "documents", "too_large", "template", "empty", "other", "unsupported", "missing_file"
]
"""``template``: unfilled ``{{VAR}}``; ``empty``: nothing but comments; ``other``: YAML that is no specification;
``documents``: several in one file; ``unsupported``: well-formed, but refused for the reason stated."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``path`` is the key path (``jobs.train.inputs.rate``, empty for the document as a whole);
    ``line`` and ``column`` count from 1 and are None for a mapping that came without a file."""

    path: str
    line: int | None
    column: int | None
    message: str
    expected: str | None = None
    suggestion: str | None = None
    file: Path | None = None
    code: Code = "invalid"

    def as_json(self) -> dict[str, str | int | None]:
        """An item of a problem document's ``errors``."""
        return {**asdict(self), "file": None if self.file is None else str(self.file)}

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        if self.expected:
            text += f"; expected {self.expected}"
        if self.suggestion:
            text += f"; did you mean `{self.suggestion}`?"
        return text


class SpecError(Exception):
    """A specification that cannot be used. ``problems`` holds every finding, in the order of the document; ``value``
    what was read of it, where something was."""

    def __init__(self, problems: Iterable[Problem], value: Any = None) -> None:
        self.value = value
        self.problems: tuple[Problem, ...] = tuple(
            sorted(problems, key=lambda p: (str(p.file or ""), p.line or 0, p.column or 0))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @property
    def code(self) -> Code:
        """The code of the first problem: what a one-line summary of the file should say."""
        return self.problems[0].code


def render_path(path: Sequence[str | int]) -> str:
    """``("jobs", "a", "args", 0)`` as ``jobs.a.args[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name most like ``name``, if one is like it at all."""
    found = get_close_matches(name, [str(candidate) for candidate in names], n=1, cutoff=0.6)
    return found[0] if found else None
