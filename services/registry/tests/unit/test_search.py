"""The search language."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.search import FIELDS, MAX_LENGTH, Condition, like, parse_search
from registry.errors import InvalidError

_VALUES = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=20)


def _condition(field: str, value: str) -> Condition:
    match field:
        case "after" | "before":
            return Condition(field, "2026-05-01")
        case "property":
            return Condition(field, f"a{value}=b")
        case "tag":
            return Condition(field, f"a{value}")
        case "text":
            return Condition(field, f"w{value}")
        case _:
            return Condition(field, value)


def test_all_conditions_are_read() -> None:
    search = parse_search(
        "TagName=TagValue tag:gold 'team=data science' name:flight-* property:rows=7 type:mlflow_model flavour:onnx "
        "stage:Production by:ada job:brave_otter after:2026-05-01 after:2026-06-01T10:00Z before:2027-01-01 "
        "used-by:endpoints/* alias:champion delay_minutes"
    )
    assert search.terms == (
        "tag:TagName=TagValue",
        "tag:gold",
        "tag:team=data science",
        "property:rows=7",
        "type:mlflow_model",
        "stage:Production",
        "by:ada",
        "job:brave_otter",
    )
    assert search.names == ("flight-%",)
    assert search.after == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert search.before == datetime(2027, 1, 1, tzinfo=UTC)
    assert (search.used_by, search.alias, search.flavour) == ("endpoints/%", "champion", "onnx")
    assert search.words == "'delay':* & 'minutes':*"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tags:gold", "there is no condition `tags:`; did you mean `tag:`"),
        ("usedby:x", "did you mean `used-by:`"),
        ("zzz:x", "there are tag, property"),
        ("=value", "`=value` names no tag"),
        ("tag:=value", "names no tag"),
        ("stage:", "`stage:` asks for nothing"),
        ("property:rows", "write property:NAME=VALUE"),
        ("after:yesterday", "write a date as"),
        ("after:0001-01-01T00:00+14:00", "write a date as"),
        ("alias:a alias:b", "can be asked for once only"),
        ("'team=data science", "quote as in a shell"),
        ("''", "leave it out"),
        ("!!!", "neither a letter nor a digit"),
        ("a\x00b", "no control characters"),
        ("a" * (MAX_LENGTH + 1), "at most"),
        (" ".join("a" * 33), "at most 32 conditions"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_search(text)
    assert said in caught.value.detail
    assert caught.value.members["path"] == "search"


@given(st.lists(st.builds(_condition, st.sampled_from(FIELDS), _VALUES), max_size=6))
def test_what_was_read_is_read_again(conditions: list[Condition]) -> None:
    seen: dict[str, Condition] = {condition.field: condition for condition in conditions}
    text = " ".join(str(parse_search_of(condition)) for condition in seen.values())
    search = parse_search(text)
    assert search.conditions == tuple(seen.values())
    assert parse_search(str(search)) == search


def parse_search_of(condition: Condition) -> str:
    from shlex import quote

    return quote(str(condition))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        search = parse_search(text)
    except InvalidError:
        return
    assert parse_search(str(search)) == search


@pytest.mark.parametrize(("glob", "pattern"), [("a*", "a%"), ("a?c", "a_c"), ("50%_\\", "50\\%\\_\\\\")])
def test_globs_are_patterns(glob: str, pattern: str) -> None:
    assert like(glob) == pattern
