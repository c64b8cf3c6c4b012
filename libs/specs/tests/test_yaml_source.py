"""Scalars, positions, and documents that must be refused."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelyard_specs import SpecError
from modelyard_specs.yaml_source import MAX_BYTES, Position, WrittenFloat, parse, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1.", 1.0), (".5", 0.5), ("-2E+4", -2e4), ("0x1F", 31), ("0o17", 15), ("007", 7), ("12", 12),
        ("on", "on"), ("yes", "yes"), ("True", True), ("false", False), ("~", None), ("", None), ("null", None),
        ("2026-01-01", "2026-01-01"), ("1:30", "1:30"), ("1_000", "1_000"), ("'5'", "5"), ("!!str 5", "5"),
        (".inf", ".inf"), (".nan", ".nan"), ("1e999", "1e999"), ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = parse(f"a: {text}").value["a"]
    assert found == value
    assert isinstance(found, type(value))


def test_a_number_keeps_its_text() -> None:
    version = parse("version: 1.10").value["version"]
    assert isinstance(version, WrittenFloat)
    assert version.text == "1.10"


def test_every_key_and_value_has_a_position() -> None:
    source = parse("a:\n  - b: 1\n    c: [x, y]\n")
    assert source.position(("a",), key=True) == Position(1, 1)
    assert source.position(("a", 0, "c"), key=True) == Position(3, 5)
    assert source.position(("a", 0, "c", 1)) == Position(3, 12)
    assert source.position(("a", 0, "missing"), key=True) == Position(2, 5)


def test_anchors_and_merges() -> None:
    text = "base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\nsame: *b\n"
    assert parse(text).value == {"base": {"x": 1, "y": 2}, "use": {"x": 1, "y": 3}, "same": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("text", "code", "line", "message"),
    [
        ("# only\n# comments\n", "empty", None, "empty"),
        ("a: 1\nb: 2\na: 3\n", "syntax", 3, "`a` stands twice in this mapping; first in line 1"),
        ("a: 1\n---\nb: 2\n", "documents", 2, "second document"),
        ("a: [1, 2\nb: 3\n", "syntax", 2, "not valid YAML"),
        ("a: !!python/object:os.system x\n", "syntax", 1, "not supported"),
        ("a: &x [*x]\n", "syntax", 1, "names no finished anchor"),
        ("a: *nothing\n", "syntax", 1, "names no finished anchor"),
        ("? [a, b]\n: 1\n", "syntax", 1, "a key must be plain text"),
        ("# {{IGNORED}}\nname: x\nimage: {{CONTAINER_REGISTRY}}/x\n", "template", 3, "CONTAINER_REGISTRY"),
        ('name: "dep-{{ SUFFIX }}"\n', "template", 1, "SUFFIX"),
        ("a: \x01\n", "syntax", None, "not valid YAML"),
        ("a: " + "[" * 200 + "]" * 200, "too_large", 1, "nested too deeply"),
    ],
)
def test_refused_documents(text: str, code: str, line: int | None, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert (problem.code, problem.line) == (code, line)
    assert message in problem.message


def test_an_alias_bomb_is_refused_quickly() -> None:
    levels = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.monotonic()
    with pytest.raises(SpecError, match="too large once its aliases are expanded"):
        parse("\n".join(levels))
    assert time.monotonic() - started < 5


def test_too_large_a_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.yml"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(SpecError) as caught:
        read(path)
    assert caught.value.code == "too_large"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.yml").write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(SpecError, match=r"latin\.yml:2:4: the document is not UTF-8"):
        read(tmp_path / "latin.yml")
    with pytest.raises(SpecError, match="No such file"):
        read(tmp_path / "none.yml")


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("abc 01-:#'\"é\n"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXY_1", min_size=1), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_json)
def test_what_pyyaml_writes_is_read_back(value: object) -> None:
    text = yaml.safe_dump({"value": value}, allow_unicode=True, default_style='"' if isinstance(value, str) else None)
    assert parse(text).value == {"value": value}
