from typing import Any

import pytest

from modelyard.cli import read
from modelyard.cli.edits import changed_metadata, edited
from modelyard.cli.options import CommandError
from modelyard.cli.search import conditions
from modelyard_specs import SpecError

THERE: dict[str, Any] = {"tags": {"team": "a", "old": "x"}, "events": ["a.b", "c.d"], "probe": {"period": 1}}


@pytest.mark.parametrize(
    ("edits", "found"),
    [
        ([("set", ["tags.team=b", "probe.period=5"])], {"tags": {"team": "b", "old": "x"}, "probe": {"period": 5}}),
        ([("set", ["new.deep[0].key=1e-3"])], {"new": {"deep": [{"key": 1e-3}]}}),
        ([("remove", ["tags.old"])], {"tags": {"team": "a"}}),
        ([("remove", ["events", "0"])], {"events": ["c.d"]}),
        ([("add", ["events", "e.f", "g.h"])], {"events": ["a.b", "c.d", "e.f", "g.h"]}),
        ([("add", ["tags", "new=1"])], {"tags": {"team": "a", "old": "x", "new": "1"}}),
        ([("add", ["list", "a=1", "b=2"])], {"list": [{"a": "1", "b": "2"}]}),
        ([("set", ["tags.x=1"]), ("remove", ["tags.x"]), ("set", ["tags.old=y"])], {"tags": {"team": "a", "old": "y"}}),
    ],
)
def test_edits_change_what_they_say_and_nothing_else(edits: list[Any], found: dict[str, Any]) -> None:
    assert edited(THERE, edits) == THERE | found
    assert THERE["tags"] == {"team": "a", "old": "x"}


@pytest.mark.parametrize(
    "edit",
    [
        ("set", ["tags"]),
        ("set", ["events[7]=x"]),
        ("add", ["tags.team", "x"]),
        ("add", ["events"]),
        ("remove", ["tags.none"]),
        ("remove", ["events", "9"]),
        ("remove", ["events", "x"]),
        ("remove", ["none.at.all"]),
        ("remove", ["tags", "a", "b"]),
        ("remove", ["a[["]),
    ],
)
def test_edits_that_do_not_fit_are_refused(edit: tuple[str, list[str]]) -> None:
    with pytest.raises((CommandError, SpecError)) as refused:
        edited(THERE, [edit])
    assert getattr(refused.value, "status", 2) == 2


def test_metadata_changes_and_content_does_not() -> None:
    found = {"description": "", "tags": {"a": "1"}, "properties": {}, "stage": None, "tree": "0" * 64}
    changes = changed_metadata(found, [("set", ["tags.n=3", "tags.yes=true", "description=it is 3"])])
    assert changes == {"tags": {"a": "1", "n": "3", "yes": "true"}, "description": "it is 3"}
    assert changed_metadata(found, [("set", ["tags.a=1"])]) == {}
    said = found | {"description": "old", "stage": "Staging"}
    removed = [("remove", ["description"]), ("remove", ["stage"]), ("remove", ["tags"])]
    assert changed_metadata(said, removed) == {"description": "", "stage": "", "tags": {}}
    with pytest.raises(CommandError, match="`path` cannot change"):
        changed_metadata(found, [("set", ["path=x"])])


def test_flags_of_list_become_one_search() -> None:
    words = ["model", "list", "--search", "TagName=TagValue stage:Production", "--tag", "a=b c", "--tag", "checked"]
    words += ["--created-by", "user:ada", "--created-after", "2026-11-01", "--used-by", "endpoints/*", "-n", "fl*"]
    said = conditions(read(words))
    assert said == (
        "TagName=TagValue stage:Production 'a=b c' tag:checked by:user:ada after:2026-11-01 "
        "'used-by:endpoints/*' 'name:fl*'"
    )
    assert conditions(read(["model", "list"])) is None
    assert conditions(read(["model", "list", "-n", "exact"])) is None
