"""Filter strings and orders of searches: `tags.team = 'flights' AND metrics.rmse < 0.5`, `metrics.rmse DESC`.

Source: mlflow/utils/search_utils.py. Conditions are joined by AND only; keys with other characters than letters, digits and
`_ . / -` stand in backticks or double quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from modelyard_platform.errors import InvalidError

Field = Literal["attribute", "tag", "param", "metric", "dataset"]
Value = str | float | int | list[str] | None

_FIELDS: Final[dict[str, Field]] = {
    "attribute": "attribute", "attributes": "attribute", "attr": "attribute", "run": "attribute",
    "tag": "tag", "tags": "tag",
    "param": "param", "params": "param", "parameter": "param", "parameters": "param",
    "metric": "metric", "metrics": "metric",
    "dataset": "dataset", "datasets": "dataset",
}  # fmt: skip
_SUBJECT: Final = re.compile(
    r"\s*(?:(?P<field>[A-Za-z]+)\s*\.\s*)?(?:`(?P<ticked>[^`]+)`|\"(?P<quoted>[^\"]+)\"|(?P<bare>[\w./-]+))"
)
_OPERATOR: Final = re.compile(
    r"\s*(?P<op>=|!=|<>|<=|>=|<|>|not\s+in\b|in\b|not\s+like\b|like\b|ilike\b|is\s+not\s+null\b|is\s+null\b)",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\s*(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_TEXT: Final = re.compile(r"\s*(?:'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\")")
_AND: Final = re.compile(r"\s+and\b", re.IGNORECASE)
_ORDER: Final = re.compile(r"^(?P<subject>.+?)(?:\s+(?P<way>asc|desc))?\s*$", re.IGNORECASE | re.DOTALL)
_MAX: Final = 10_000

_NUMERIC: Final = frozenset(("=", "!=", "<", "<=", ">", ">="))
_TEXTUAL: Final = frozenset(("=", "!=", "like", "ilike", "in", "not in"))
_NULL: Final = frozenset(("is null", "is not null"))


@dataclass(frozen=True, slots=True)
class Attribute:
    """What we call an attribute, and whether it is a number."""

    key: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may be asked of one kind of thing: its attributes by MLflow's names, and whether it has more than tags."""

    attributes: Mapping[str, Attribute]
    fields: frozenset[Field] = frozenset(("attribute", "tag"))


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, in our words."""

    field: Field
    key: str
    op: str
    value: Value = None

    def document(self) -> dict[str, Any]:
        """As the scheduler takes it."""
        return {"field": self.field, "key": self.key, "op": self.op, "value": self.value}

    def holds(self, actual: str | float | None) -> bool:
        """Whether a value meets the condition; one that is missing meets only `is null`."""
        if self.op in _NULL:
            return (actual is None) == (self.op == "is null")
        if actual is None:
            return False
        match self.op, self.value:
            case "=", wanted:
                return actual == wanted
            case "!=", wanted:
                return actual != wanted
            case "in", list(wanted):
                return actual in wanted
            case "not in", list(wanted):
                return actual not in wanted
            case "like" | "ilike", str(pattern):
                return _like(pattern, str(actual), ignore_case=self.op == "ilike")
            case _, (int() | float()) as wanted if isinstance(actual, (int, float)):
                return {"<": actual < wanted, "<=": actual <= wanted, ">": actual > wanted, ">=": actual >= wanted}[
                    self.op
                ]
        return False


def _like(pattern: str, text: str, *, ignore_case: bool) -> bool:
    """SQL's LIKE. Each piece between `%` is taken where it first occurs: as one regular expression, a pattern could take for ever."""
    first, *others = _pieces(pattern, ignore_case)
    if not others:
        return first.fullmatch(text) is not None
    *between, last = others
    found = first.match(text)
    for piece in between:
        found = piece.search(text, found.end()) if found else None
    end = pattern[pattern.rindex("%") + 1 :]  # every character of it stands for one
    return found is not None and found.end() <= len(text) - len(end) and bool(last.match(text, len(text) - len(end)))


@lru_cache(maxsize=64)
def _pieces(pattern: str, ignore_case: bool) -> tuple[re.Pattern[str], ...]:  # noqa: FBT001 - two keys of a cache
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    return tuple(
        re.compile("".join("." if one == "_" else re.escape(one) for one in piece), flags)
        for piece in pattern.split("%")
    )


@dataclass(frozen=True, slots=True)
class Order:
    """What results are sorted by."""

    field: Field
    key: str
    descending: bool = False

    def document(self) -> dict[str, Any]:
        """As the scheduler takes it."""
        return {"field": self.field, "key": self.key, "descending": self.descending}


def parse_filter(text: str | None, grammar: Grammar) -> list[Condition]:
    """All conditions of a filter string. Raises InvalidError, saying where it cannot be read."""
    if not text or not text.strip():
        return []
    if len(text) > _MAX:
        raise InvalidError(f"a filter has at most {_MAX} characters, this one {len(text)}", path="filter")
    found: list[Condition] = []
    at = 0
    while True:
        condition, at = _condition(text, at, grammar)
        found.append(condition)
        if not text[at:].strip():
            return found
        joint = _AND.match(text, at)
        if joint is None:
            raise _unreadable(text, at, "AND and another condition, or the end")
        at = joint.end()


def parse_order(terms: Iterable[str] | None, grammar: Grammar) -> list[Order]:
    """The orders of a search. Raises InvalidError."""
    found = []
    for term in terms or []:
        match = _ORDER.match(term.strip())
        subject = _SUBJECT.fullmatch(match["subject"]) if match else None
        if match is None or subject is None:
            raise InvalidError(f"order_by {term!r} is not KEY, or KEY ASC, or KEY DESC", path="order_by")
        field, key, _ = _subject(subject, grammar)
        found.append(Order(field, key, (match["way"] or "").lower() == "desc"))
    return found


def _condition(text: str, at: int, grammar: Grammar) -> tuple[Condition, int]:
    subject = _SUBJECT.match(text, at)
    if subject is None:
        raise _unreadable(text, at, "what is compared, such as tags.team or name")
    field, key, numeric = _subject(subject, grammar)
    operator = _OPERATOR.match(text, subject.end())
    if operator is None:
        raise _unreadable(text, subject.end(), "a comparison: = != < <= > >= LIKE ILIKE IN, IS NULL")
    op = " ".join(operator["op"].lower().split()).replace("<>", "!=")
    allowed = _NUMERIC if numeric else _TEXTUAL | (_NULL if field in ("tag", "param") else frozenset())
    if op not in allowed:
        raise InvalidError(
            f"{op.upper()} cannot be asked of {field} {key!r}; it takes {', '.join(sorted(allowed))}", path="filter"
        )
    if op in _NULL:
        return Condition(field, key, op), operator.end()
    value, at = _value(text, operator.end(), numeric=numeric, several=op in ("in", "not in"))
    return Condition(field, key, op, value), at


def _subject(match: re.Match[str], grammar: Grammar) -> tuple[Field, str, bool]:
    key = match["ticked"] or match["quoted"] or match["bare"]
    name = match["field"]
    field = _FIELDS.get(name.lower()) if name else "attribute"
    if field is None or field not in grammar.fields:
        raise InvalidError(f"{name!r} is not one of {', '.join(sorted(grammar.fields))}", path="filter")
    if field == "attribute":
        attribute = grammar.attributes.get(key) or grammar.attributes.get(key.lower())
        if attribute is None:
            raise InvalidError(
                f"{key!r} is no attribute to search by; there are {', '.join(grammar.attributes)}", path="filter"
            )
        return field, attribute.key, attribute.numeric
    if field == "dataset" and key not in ("name", "digest", "context"):
        raise InvalidError(f"datasets have name, digest and context, not {key!r}", path="filter")
    return field, key, field == "metric"


def _value(text: str, at: int, *, numeric: bool, several: bool) -> tuple[Value, int]:
    if several:
        return _texts(text, at)
    if numeric:
        number = _NUMBER.match(text, at)
        if number is None:
            raise _unreadable(text, at, "a number")
        return float(number["number"]), number.end()
    found = _TEXT.match(text, at)
    if found is None:
        raise _unreadable(text, at, "text in quotes")
    return found["single"] if found["single"] is not None else found["double"], found.end()


def _texts(text: str, at: int) -> tuple[list[str], int]:
    opening = re.compile(r"\s*\(").match(text, at)
    if opening is None:
        raise _unreadable(text, at, "a list in parentheses: ('a', 'b')")
    at, found = opening.end(), []
    while (one := _TEXT.match(text, at)) is not None:
        found.append(one["single"] if one["single"] is not None else one["double"])
        at = one.end()
        comma = re.compile(r"\s*,").match(text, at)
        if comma is None:
            break
        at = comma.end()
    closing = re.compile(r"\s*\)").match(text, at)
    if closing is None or not found:
        raise _unreadable(text, at, "quoted texts and a closing parenthesis")
    return found, closing.end()


def _unreadable(text: str, at: int, expected: str) -> InvalidError:
    return InvalidError(
        f"the filter cannot be read from {text[at : at + 40].strip()!r}: expected {expected}", path="filter"
    )
