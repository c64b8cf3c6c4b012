"""YAML to plain values, keeping the line and column of every key and value.

Scalars follow the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), as the original CLI does and
PyYAML does not: ``1e-3`` is a number, ``on`` and ``yes`` are text, dates are text. A number keeps the text that it was
written as (``version: 1.10`` is version "1.10").
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Never

import yaml

from modelyard_specs.errors import Code, KeyPath, Problem, SpecError

MAX_BYTES: Final = 4 * 1024 * 1024
MAX_VALUES: Final = 200_000  # counted after aliases are expanded: what an alias bomb multiplies
MAX_DEPTH: Final = 64

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULLS: Final = {"", "~", "null", "Null", "NULL"}
_TEMPLATE = re.compile(r"(?<!\$)\{\{-?\s*(\.?[A-Za-z_][\w.-]*)\s*-?\}\}")
_TAG: Final = "tag:yaml.org,2002:"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class WrittenInt(int):
    """An integer that remembers its text."""

    text: str


class WrittenFloat(float):
    """A float that remembers its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed document: its plain value, and the positions of its keys (``keys``) and values (``values``) by key path.
    A value that came from JSON or an override has no positions."""

    value: Any
    file: Path | None = None
    keys: Mapping[KeyPath, Position] = field(default_factory=lambda: MappingProxyType({}))
    values: Mapping[KeyPath, Position] = field(default_factory=lambda: MappingProxyType({}))

    def position(self, path: KeyPath, *, key: bool = False) -> Position | None:
        """The position of the value at ``path`` (of its key, if asked), or of the nearest thing that encloses it."""
        while True:
            found = (self.keys.get(path) if key else None) or self.values.get(path)
            if found is not None or not path:
                return found
            path, key = path[:-1], True

    def with_value(self, value: Any, changed: tuple[KeyPath, ...]) -> "Source":
        """The source with overrides applied: what was ``changed`` no longer has a position."""

        def kept(positions: Mapping[KeyPath, Position]) -> dict[KeyPath, Position]:
            return {p: at for p, at in positions.items() if not any(p[: len(c)] == c for c in changed)}

        return replace(self, value=value, keys=kept(self.keys), values=kept(self.values))


def read(path: Path) -> Source:
    """Parse the file at ``path``.

    Raises SpecError: not readable, too large, a template, empty, not YAML, duplicate keys, more than one document.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            _refuse(path, None, "too_large", f"the document has {size:,} bytes", f"at most {MAX_BYTES:,} bytes")
        raw = path.read_bytes()
    except OSError as error:
        raise SpecError(
            [Problem("", None, None, error.strerror or "cannot be read", file=path, code="missing_file")]
        ) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = Position(raw.count(b"\n", 0, error.start) + 1, error.start - (raw.rfind(b"\n", 0, error.start)))
        _refuse(path, at, "syntax", "the document is not UTF-8")
    return parse(text, file=path)


def parse(text: str, *, file: Path | None = None) -> Source:
    """Parse YAML text; raises SpecError as ``read`` does."""
    if len(text.encode()) > MAX_BYTES:
        _refuse(file, None, "too_large", "the document is too large", f"at most {MAX_BYTES:,} bytes")
    for number, line in enumerate(text.splitlines(), start=1):
        found = None if line.lstrip().startswith("#") else _TEMPLATE.search(line)
        if found:
            message = f"this file is a template: {{{{{found[1]}}}}} is not filled in"
            _refuse(file, Position(number, found.start() + 1), "template", message)
    composer = _Composer(file)
    try:
        composer.compose(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(mark.line + 1, mark.column + 1) if mark else None
        _refuse(file, at, "syntax", f"not valid YAML: {error.problem or error.context}")
    except yaml.YAMLError as error:  # a reader error: a character that YAML forbids
        _refuse(file, None, "syntax", f"not valid YAML: {str(error).splitlines()[0]}")
    return Source(composer.root, file, MappingProxyType(composer.keys), MappingProxyType(composer.values))


@dataclass(slots=True)
class _Anchored:
    value: Any
    values: int  # how many values it holds, itself included
    done: bool = False


class _Composer:
    """Builds the value from PyYAML's events; one pass, bounded in depth and in expanded size."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._anchors: dict[str, _Anchored] = {}
        self._count = 0
        self.root: Any = None
        self.keys: dict[KeyPath, Position] = {}
        self.values: dict[KeyPath, Position] = {}

    def compose(self, events: Iterator[yaml.Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    at, message = _position(event), "a second document starts here"
                    problem = Problem("", at.line, at.column, message, "one document in a file", None, self._file,
                                      "documents")  # fmt: skip
                    raise SpecError([problem], self.root)
                self.root = self._node(next(events), events, ())
        if documents == 0:
            _refuse(self._file, None, "empty", "the file is empty: it holds no more than comments")

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath) -> Any:
        self.values[path] = _position(event)
        self._grow(event, 1)
        if len(path) > MAX_DEPTH:
            self._fail(event, "nested too deeply", f"at most {MAX_DEPTH} levels", "too_large")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        assert isinstance(event, yaml.NodeEvent)
        before = self._count - 1
        anchored = _Anchored(None, 0)
        if event.anchor:
            self._anchors[event.anchor] = anchored
        value: Any
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, events, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(event, events, path)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            value = self._scalar(event)
        anchored.value, anchored.values, anchored.done = value, self._count - before, True
        return value

    def _alias(self, event: yaml.AliasEvent) -> Any:
        anchored = self._anchors.get(event.anchor or "")
        if anchored is None or not anchored.done:
            self._fail(event, f"the alias *{event.anchor} names no finished anchor")
        self._grow(event, anchored.values)
        return anchored.value

    def _mapping(self, start: yaml.MappingStartEvent, events: Iterator[yaml.Event], path: KeyPath) -> dict[str, Any]:
        self._check_tag(start, "map")
        value: dict[str, Any] = {}
        own: set[str] = set()
        merged: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self._fail(event, "a key must be plain text")
            key = event.value
            if key == "<<" and not event.style:
                merge = self._node(next(events), events, (*path, "<<"))
                for part in reversed(merge if isinstance(merge, list) else [merge]):
                    if not isinstance(part, dict):
                        self._fail(event, "`<<` merges mappings only", "an alias of a mapping")
                    merged.update(part)
                continue
            if key in own:
                first = self.keys[(*path, key)]
                self._fail(event, f"the key `{key}` stands twice in this mapping; first in line {first.line}")
            own.add(key)
            self.keys[(*path, key)] = _position(event)
            value[key] = self._node(next(events), events, (*path, key))
        return {**merged, **value}

    def _sequence(self, start: yaml.SequenceStartEvent, events: Iterator[yaml.Event], path: KeyPath) -> list[Any]:
        self._check_tag(start, "seq")
        value: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            value.append(self._node(event, events, (*path, len(value))))
        return value

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        self._check_tag(event, "str", "int", "float", "bool", "null")
        quoted = bool(event.style) or event.tag == f"{_TAG}str" or event.tag == "!"
        return event.value if quoted else scalar(event.value)

    def _check_tag(self, event: Any, *known: str) -> None:
        if event.tag not in {None, "!", *(f"{_TAG}{name}" for name in known)}:
            self._fail(event, f"the tag {event.tag} is not supported", "a plain value")

    def _grow(self, event: yaml.Event, values: int) -> None:
        self._count += values
        if self._count > MAX_VALUES:
            self._fail(event, "the document is too large once its aliases are expanded",
                       f"at most {MAX_VALUES:,} values", "too_large")  # fmt: skip

    def _fail(self, event: yaml.Event, message: str, expected: str | None = None, code: Code = "syntax") -> Never:
        _refuse(self._file, _position(event), code, message, expected)


def scalar(text: str) -> Any:
    """The value of an unquoted scalar by the core schema. What JSON cannot carry (``.inf``, ``1e999``) stays text."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text) and len(text) <= 4000:  # Python refuses to convert more digits
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        integer = WrittenInt(int(text[2:] if base != 10 else text, base))
        integer.text = text
        return integer
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        number = WrittenFloat(text)
        number.text = text
        return number
    return text


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    assert mark is not None
    return Position(mark.line + 1, mark.column + 1)


def _refuse(file: Path | None, at: Position | None, code: Code, message: str, expected: str | None = None) -> Never:
    line, column = (at.line, at.column) if at else (None, None)
    raise SpecError([Problem("", line, column, message, expected, file=file, code=code)])
