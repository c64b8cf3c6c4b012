"""Whatever a client sends is a document or a SpecError: services answer it with a 4xx, never a 500."""

import copy
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard_specs import SpecError, load, load_mapping, require_submittable
from modelyard_specs.kinds import Group

FIXTURES = Path(__file__).parent / "fixtures"
SPECS = [load(path).spec() for path in sorted(FIXTURES.glob("*/*.[yY]*")) if path.name != "conda.yml"]
GROUPS: list[Group | None] = [None, "job", "component", "model", "online-deployment", "schedule", "trigger"]

_keys = st.sampled_from(["type", "name", "inputs", "path", "jobs", "command", "component", "job", "environment", "x"])
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["${{parent.jobs.a.outputs.b}}", "${{x}}", "azureml:a:1", "./x", "command", "pipeline", "sweep"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


def _paths(value: Any) -> list[list[Any]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, item in entries for path in ([key], *([key, *rest] for rest in _paths(item)))]


@st.composite
def _changed_specs(draw: st.DrawFn) -> Any:
    """A real specification with one value replaced by anything."""
    spec = copy.deepcopy(draw(st.sampled_from(SPECS)))
    path = draw(st.sampled_from(_paths(spec)))
    container = spec
    for part in path[:-1]:
        container = container[part]
    container[path[-1]] = draw(_anything)
    return spec


@settings(max_examples=400, deadline=None)
@given(_changed_specs() | st.dictionaries(_keys, _anything, max_size=5), st.sampled_from(GROUPS))
def test_a_document_or_a_spec_error(value: Any, group: Group | None) -> None:
    try:
        document = load_mapping(value, group=group)
        require_submittable(document)
    except SpecError:
        return
    assert load_mapping(json.loads(json.dumps(document.spec())), group=group).spec() == document.spec()
