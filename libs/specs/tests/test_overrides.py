"""--set."""

from pathlib import Path

import pytest

from modelyard_specs import SpecError, load
from modelyard_specs.kinds.jobs import CommandJob
from modelyard_specs.overrides import apply_overrides, parse_override
from modelyard_specs.yaml_source import parse


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("name=x", ("name",), "x"),
        ("a.b[0].c=1e-3", ("a", "b", 0, "c"), 1e-3),
        ("tags={a: 1}", ("tags",), {"a": 1}),
        ("jobs.prep-job.x=", ("jobs", "prep-job", "x"), ""),
        ("command=echo a=b: ${{inputs.x}}", ("command",), "echo a=b: ${{inputs.x}}"),
        ("x=[1, 2", ("x",), "[1, 2"),
        ("x='7'", ("x",), "7"),
        ('tags."a.b"=c', ("tags", "a.b"), "c"),
        ('"a=b[0]"."c"[1]=d', ("a=b[0]", "c", 1), "d"),
    ],
)
def test_parsing(text: str, path: tuple[str | int, ...], value: object) -> None:
    assert parse_override(text) == (path, value)


@pytest.mark.parametrize("text", ["", "name", "=x", "a..b=1", "a[x]=1", "[0]=1", '"a=1', 'a."b', '""=1', "a]=1"])
def test_malformed(text: str) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        parse_override(text)


def test_applying_leaves_the_source_alone() -> None:
    source = parse("a: {b: [1]}\nn:\n")
    changed = apply_overrides(source, ["a.b[0]=2", "a.b[1].c=3", "n.new.deep=x"])
    assert changed.value == {"a": {"b": [2, {"c": 3}]}, "n": {"new": {"deep": "x"}}}
    assert source.value == {"a": {"b": [1]}, "n": None}


@pytest.mark.parametrize("text", ["a.b[5]=1", "a[0]=1", "a.b.c=1", "s.x=1"])
def test_a_path_through_something_else(text: str) -> None:
    with pytest.raises(SpecError, match="does not fit the document"):
        apply_overrides(parse("a: {b: [1]}\ns: text\n"), [text])


def test_an_overridden_value_is_checked_and_has_no_line(tmp_path: Path) -> None:
    path = tmp_path / "job.yml"
    path.write_text("command: ls\nenvironment: azureml:a:1\nlimits:\n  timeout: 5\n")
    job = load(path, overrides=["limits.timeout=9", "environment_variables.A=1.10"]).model
    assert isinstance(job, CommandJob)
    assert job.limits is not None
    assert job.limits.timeout == 9
    assert job.environment_variables == {"A": "1.10"}
    with pytest.raises(SpecError, match=r"limits\.timeout: the text `soon`"):
        load(path, overrides=["limits.timeout=soon"])
