"""Assets and their versions: what they are called and what is known of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from modelyard_contracts.registry import AssetKind
from registry.errors import InvalidError

KINDS: Final[tuple[AssetKind, ...]] = ("models", "data", "environments", "components")

NEWEST: Final = 2**63 - 1
"""The cursor before the first page of a list that runs from newest to oldest."""

ANONYMOUS: Final = "azureml_anonymous"
"""The name of what was registered without one; its version is the digest of its content."""

MAX_METADATA_BYTES: Final = 256 << 10
"""Tags and properties of one version together."""
MAX_TAG_NAME: Final = 256
MAX_TAGS: Final = 1000

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")
_KEPT: Final = re.compile("[^\\x00\\ud800-\\udfff]*")
_ALIAS: Final = re.compile(r"^[A-Za-z][A-Za-z0-9._-]{0,63}$")


def check_name(name: str, what: str = "name") -> str:
    """The name itself. Raises InvalidError, saying what names look like."""
    if not _NAME.fullmatch(name):
        raise InvalidError(
            f"{what} {name[:80]!r} is not allowed: 1 to 255 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
            path=what,
        )
    return name


def check_alias(alias: str) -> str:
    """An alias begins with a letter (so that it is never a version) and is not `latest`, which is always the newest."""
    if not _ALIAS.fullmatch(alias) or alias == "latest":
        raise InvalidError(
            f"alias {alias[:80]!r} is not allowed: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter, and not 'latest'",
            path="alias",
        )
    return alias


def check_tags(tags: Mapping[str, str], what: str = "tags") -> dict[str, str]:
    """The tags (or properties) themselves. Raises InvalidError for one that could not be kept or found again."""
    if len(tags) > MAX_TAGS:
        raise InvalidError(f"{len(tags)} {what} are too many: at most {MAX_TAGS}", path=what)
    size = 0
    for name, value in tags.items():
        shown = name[:40]
        if not name or len(name) > MAX_TAG_NAME or not name.isprintable():
            raise InvalidError(
                f"{what}: the name {shown!r} is not allowed: 1 to {MAX_TAG_NAME} printable characters", path=what
            )
        check_text(value, f"{what}.{shown}")
        size += len(name.encode()) + len(value.encode())
    if size > MAX_METADATA_BYTES:
        raise InvalidError(f"{what} have {size} bytes together: at most {MAX_METADATA_BYTES}", path=what)
    return dict(tags)


def check_text(value: Any, path: str = "") -> None:
    """Raises InvalidError for text that cannot be kept, however deep it lies: with U+0000, or half a surrogate pair."""
    match value:
        case str() if not _KEPT.fullmatch(value):
            raise InvalidError(f"{path}: text cannot hold U+0000 or half a surrogate pair", path=path)
        case dict():
            for key, inner in value.items():
                where = f"{path}.{key}" if path else str(key)
                check_text(key, path or "a key")
                check_text(inner, where)
        case list():
            for place, inner in enumerate(value):
                check_text(inner, f"{path}[{place}]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """A name and what is known of it apart from its versions. `latest` is its newest version that is not archived."""

    kind: AssetKind
    name: str
    description: str
    tags: dict[str, str]
    latest: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


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
    external: dict[str, Any] | None
    inspection: dict[str, Any] | None
    manifest: str | None
    created_by: str
    created_at: datetime
    aliases: tuple[str, ...] = ()
    experiment: str | None = None
    """The experiment of the job that made it."""
    deployments: tuple[dict[str, str], ...] = ()
    """Where it is deployed, and how that is: `{endpoint, deployment, status}`."""
