"""The search language: conditions separated by spaces, quoted as in a shell, all of which must hold.

`team=flights stage:Production name:flight-* by:ada after:2026-05-01 used-by:endpoints/* delay`
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from registry.domain.assets import ANONYMOUS
from registry.errors import InvalidError

MAX_LENGTH: Final = 2000
MAX_CONDITIONS: Final = 32

FIELDS: Final = (
    "tag", "property", "name", "type", "flavour", "stage", "by", "job", "after", "before", "used-by", "alias", "text",
)  # fmt: skip
_EQUAL: Final = frozenset({"type", "stage", "by", "job"})
_ONCE: Final = frozenset({"flavour", "used-by", "alias"})
_FIELD: Final = re.compile(r"^(?P<field>[A-Za-z][A-Za-z-]*):(?P<value>.*)$", re.DOTALL)
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: a field of `FIELDS` and what is asked of it."""

    field: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}:{self.value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """All conditions in the form that the store takes them. What is None, or empty, asks for nothing.

    `terms` are equalities as the database keeps them; `names` and `used_by` LIKE patterns; `words` a full-text query.
    """

    conditions: tuple[Condition, ...] = ()
    terms: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    words: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    used_by: str | None = None
    alias: str | None = None
    flavour: str | None = None
    anonymous: bool = False
    """Anonymous assets are found only where their name is asked for."""

    @property
    def by_name_only(self) -> bool:
        """Whether the newest version of a name fits when any of its versions does."""
        return not (self.terms or self.words or self.after or self.before or self.used_by or self.alias or self.flavour)

    def __str__(self) -> str:
        return " ".join(shlex.quote(str(condition)) for condition in self.conditions)


@dataclass(slots=True)
class _Found:
    terms: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    after: datetime | None = None
    before: datetime | None = None
    once: dict[str, str] = field(default_factory=dict)


def parse_search(text: str) -> Search:
    """Read a search. Raises InvalidError, naming the word that cannot be read and what would be right."""
    if len(text) > MAX_LENGTH:
        raise _wrong(f"a search has at most {MAX_LENGTH} characters, this one {len(text)}")
    if not all(character.isprintable() or character in "\t\n" for character in text):
        raise _wrong("a search holds no control characters")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _wrong(f"the search cannot be read: {error}; quote as in a shell: 'team=data science'") from error
    if len(words) > MAX_CONDITIONS:
        raise _wrong(f"a search has at most {MAX_CONDITIONS} conditions, this one {len(words)}")
    conditions = tuple(_condition(word) for word in words)
    found = _Found()
    for condition in conditions:
        _add(found, condition)
    return Search(
        conditions=conditions,
        terms=tuple(found.terms),
        names=tuple(found.names),
        words=" & ".join(found.words) or None,
        after=found.after,
        before=found.before,
        used_by=found.once.get("used-by"),
        alias=found.once.get("alias"),
        flavour=found.once.get("flavour"),
        anonymous=any(condition == Condition("name", ANONYMOUS) for condition in conditions),
    )


def _condition(word: str) -> Condition:
    match = _FIELD.match(word)
    if match is not None and match["field"].lower() in FIELDS:
        name, value = match["field"].lower(), match["value"]
        if not value:
            raise _wrong(f"`{word}` asks for nothing: write {name}:VALUE")
        return Condition(name, value)
    name, equals, _ = word.partition("=")
    if equals:
        if not name:
            raise _wrong(f"`{word}` names no tag: write TagName=TagValue")
        return Condition("tag", word)
    if match is not None:
        near = difflib.get_close_matches(match["field"].lower(), FIELDS, n=1)
        hint = f"did you mean `{near[0]}:`?" if near else f"there are {', '.join(FIELDS)}"
        raise _wrong(f"`{word}`: there is no condition `{match['field']}:`; {hint} (text with a colon: text:'{word}')")
    if not word:
        raise _wrong("'' asks for nothing: leave it out")
    return Condition("text", word)


def _add(found: _Found, condition: Condition) -> None:
    name, value = condition.field, condition.value
    if name == "tag":
        if value.startswith("="):
            raise _wrong(f"`{condition}` names no tag: write tag:NAME or NAME=VALUE")
        found.terms.append(str(condition))
    elif name == "property":
        key, equals, _ = value.partition("=")
        if not equals or not key:
            raise _wrong(f"`{condition}`: write property:NAME=VALUE")
        found.terms.append(str(condition))
    elif name in _EQUAL:
        found.terms.append(str(condition))
    elif name == "name":
        found.names.append(like(value))
    elif name == "after":
        day = _date(condition)
        found.after = max(found.after or day, day)
    elif name == "before":
        day = _date(condition)
        found.before = min(found.before or day, day)
    elif name in _ONCE:
        if name in found.once:
            raise _wrong(f"`{condition}`: {name}: can be asked for once only")
        found.once[name] = like(value) if name == "used-by" else value
    else:
        found.words += _words(condition)


def like(pattern: str) -> str:
    """A glob (`*` anything, `?` one character) as a LIKE pattern."""
    escaped = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%").replace("?", "_")


def _words(condition: Condition) -> list[str]:
    """The words of a text, each the beginning of one that is to be found, as a PostgreSQL text search query takes them."""
    words = [word for word in _BETWEEN_WORDS.split(condition.value) if word]
    if not words:
        raise _wrong(f"`{condition.value}` holds neither a letter nor a digit to look for")
    return [f"'{word}':*" for word in words]


def _date(condition: Condition) -> datetime:
    try:
        when = datetime.fromisoformat(condition.value)
        when = when.astimezone(UTC) if when.tzinfo is not None else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(f"`{condition}`: write a date as 2026-05-01 or 2026-05-01T10:00Z") from error
    return when


def _wrong(detail: str) -> InvalidError:
    return InvalidError(detail, code="search_invalid", path="search")
