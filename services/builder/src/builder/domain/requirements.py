"""Requirements: what every way of describing an environment comes down to, before it is locked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.errors import EnvironmentInvalidError

_PYTHON: Final = re.compile(r"^3\.\d{1,2}$")
_COMMENT: Final = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Requirements:
    """An interpreter's minor version and requirement lines (PEP 508), sorted and distinct.

    `from_conda` names the packages that a conda file asked conda for: they are taken from PyPI, where some do not exist.
    """

    python: str
    lines: tuple[str, ...]
    from_conda: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not _PYTHON.match(self.python):
            raise EnvironmentInvalidError(f"python {self.python!r} is not a minor version such as 3.11", path="python")

    @property
    def digest(self) -> str:
        """The same for all descriptions that mean the same."""
        document = json.dumps({"python": self.python, "lines": self.lines}, separators=(",", ":"))
        return hashlib.sha256(document.encode()).hexdigest()

    def adding(self, lines: Iterable[str]) -> Requirements:
        """With further requirements beside its own."""
        return Requirements(self.python, normalised((*self.lines, *lines)), self.from_conda)


def normalised(lines: Iterable[str]) -> tuple[str, ...]:
    """Lines as PEP 508 writes them, sorted and distinct; blank lines and comments are left out. Raises EnvironmentInvalidError."""
    found = {read_line(line) for line in lines if _COMMENT.sub("", line).strip()}
    return tuple(sorted(found))


def read_line(line: str, path: str = "requirements") -> str:
    """One requirement. Options, local paths and repositories are refused: a lock holds released files by their hashes."""
    text = _COMMENT.sub("", line).strip()
    if text.startswith("-"):
        option = text.split()[0].split("=")[0]
        hint = (
            "put the lines of that file here"
            if option in {"-r", "--requirement", "-c", "--constraint"}
            else _OPTION_HINT
        )
        raise EnvironmentInvalidError(f"{path}: the option {option} is not taken; {hint}", path=path)
    if "${" in text:
        raise EnvironmentInvalidError(f"{path}: {text!r} has a variable in it; write its value", path=path)
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise EnvironmentInvalidError(
            f"{path}: {text[:200]!r} is no requirement ({_first_line(error)}); write for example numpy~=1.26", path=path
        ) from error
    if requirement.url is not None and not requirement.url.startswith("https://"):
        raise EnvironmentInvalidError(
            f"{path}: {text[:200]!r} is no released file; name a version on the package index, or an https:// address of a wheel",
            path=path,
        )
    requirement.name = canonicalize_name(requirement.name)
    return str(requirement)


_OPTION_HINT: Final = "the package index is chosen by the installation, not by an environment"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def names_of(lines: Iterable[str]) -> frozenset[str]:
    """The packages that requirement lines name."""
    return frozenset(canonicalize_name(Requirement(line).name) for line in lines)


def pins_of(locked: str) -> tuple[str, ...]:
    """The `name==version` lines of a lock, without their hashes."""
    lines = (line.split("--hash", 1)[0].rstrip("\\ ") for line in locked.splitlines())
    return tuple(line for line in lines if line and not line.startswith((" ", "#", "--")))
