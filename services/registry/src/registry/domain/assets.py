"""Assets and their versions: what they are called and what is known of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from modelyard_contracts.registry import AssetKind
from registry.errors import InvalidError

KINDS: Final[tuple[AssetKind, ...]] = ("models", "data", "environments", "components")

NEWEST: Final = 2**63 - 1
"""The cursor before the first page of a list that runs from newest to oldest."""

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")
_ALIAS: Final = re.compile(r"^[A-Za-z][A-Za-z0-9._-]{0,63}$")


def check_name(name: str, what: str = "name") -> str:
    """The name itself. Raises InvalidError, saying what names look like."""
    if not _NAME.match(name):
        raise InvalidError(
            f"{what} {name[:80]!r} is not allowed: 1 to 255 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
            path=what,
        )
    return name


def check_alias(alias: str) -> str:
    """An alias begins with a letter (so that it is never a version) and is not `latest`, which is always the newest."""
    if not _ALIAS.match(alias) or alias == "latest":
        raise InvalidError(
            f"alias {alias[:80]!r} is not allowed: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter, and not 'latest'",
            path="alias",
        )
    return alias


@dataclass(frozen=True, kw_only=True, slots=True)
class NewVersion:
    """A version about to be registered. `version` None asks for the next number."""

    kind: AssetKind
    name: str
    version: str | None
    type: str | None
    description: str
    tags: dict[str, str]
    properties: dict[str, str]
    stage: str | None
    tree: str | None
    size: int
    spec: dict[str, Any]
    job: str | None
    environment: str | None
    sample: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AssetVersion:
    """One version: content that never changes, and metadata that may."""

    id: int
    kind: AssetKind
    name: str
    version: str
    type: str | None
    description: str
    tags: dict[str, str]
    properties: dict[str, str]
    stage: str | None
    tree: str | None
    size: int
    spec: dict[str, Any]
    job: str | None
    environment: str | None
    sample: str | None
    archived: bool
    conversion: dict[str, Any] | None
    profile: dict[str, Any] | None
    created_by: str
    created_at: datetime
    aliases: tuple[str, ...] = ()
