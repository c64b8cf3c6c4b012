"""Expressions: parsing, rendering, optional parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard_specs import (
    Constant,
    EventAttribute,
    Expression,
    ParentPort,
    Port,
    SearchSpace,
    StepPort,
    UnboundError,
    find_expressions,
    lookup,
    parse_expression,
    render,
    sole_expression,
)
from modelyard_specs.expressions import optional_expressions

_name = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True)
_side = st.sampled_from(["inputs", "outputs"])
_expressions: st.SearchStrategy[Expression] = st.one_of(
    st.builds(Port, _side, _name),
    st.builds(ParentPort, _side, _name),
    st.builds(StepPort, _name, _side, _name),
    st.builds(SearchSpace, _name),
    st.builds(Constant, st.sampled_from(["name", "default_datastore", "creation_context.trigger_time"])),
    st.builds(EventAttribute, st.tuples(_name.filter(lambda name: name != "data"))),
    st.builds(EventAttribute, st.lists(_name, min_size=1, max_size=3).map(lambda path: ("data", *path))),
)


@given(_expressions)
def test_round_trip(expression: Expression) -> None:
    assert parse_expression(str(expression)) == expression
    assert sole_expression(f"${{{{ {expression} }}}}") == expression


@given(st.lists(_expressions, max_size=5), st.text("ab '\"$[]{", max_size=5).filter(lambda t: "${{" not in t))
def test_every_expression_is_found_in_order(expressions: list[Expression], between: str) -> None:
    text = between.join(f" ${{{{{e}}}}} " for e in expressions)
    assert find_expressions(text) == tuple(expressions)


@given(st.dictionaries(_name, st.text("ab c'\"$1", max_size=8), min_size=1))
def test_rendering_puts_values_in_untouched(values: dict[str, str]) -> None:
    command = " | ".join(f"'${{{{inputs.{name}}}}}'" for name in values)
    expected = " | ".join(f"'{value}'" for value in values.values())
    assert render(command, {f"inputs.{name}": value for name, value in values.items()}) == expected


@pytest.mark.parametrize("body", ["", "x", "inputs", "inputs.", "inputs.a.b", "parent.jobs.a.b", "event.data", "names"])
def test_what_is_no_expression(body: str) -> None:
    with pytest.raises(ValueError, match="is no expression"):
        find_expressions(f"${{{{{body}}}}}")


COMMAND = 'run "${{inputs.data}}" $[[--note "${{inputs.note}}" --x ${{inputs.x}}]] --out ${{outputs.model}}'


def test_an_optional_part_stands_only_when_all_of_it_is_bound() -> None:
    bindings = {"inputs.data": "/d", "outputs.model": "/m", "inputs.note": "a b"}
    assert render(COMMAND, bindings) == 'run "/d"  --out /m'
    assert render(COMMAND, {**bindings, "inputs.x": 0}) == 'run "/d" --note "a b" --x 0 --out /m'
    assert optional_expressions(COMMAND) == (Port("inputs", "note"), Port("inputs", "x"))


def test_unbound_expressions_are_named() -> None:
    with pytest.raises(UnboundError, match=r"inputs\.data.*outputs\.model") as caught:
        render(COMMAND, {"inputs.note": 1, "inputs.data": None})
    assert caught.value.expressions == (Port("inputs", "data"), Port("outputs", "model"))


def test_a_value_is_never_rendered_again() -> None:
    assert render("echo ${{inputs.a}}", {"inputs.a": "${{inputs.b}} $[[x]]"}) == "echo ${{inputs.b}} $[[x]]"


def test_event_values() -> None:
    event = {"subject": "endpoints/flights", "data": {"features": [{"name": "distance"}], "n": 3}}
    assert lookup(EventAttribute(("subject",)), event) == "endpoints/flights"
    assert lookup(EventAttribute(("data", "features", "0", "name")), event) == "distance"
    assert lookup(EventAttribute(("data", "features", "7", "name")), event) is None
    assert lookup(EventAttribute(("data", "n", "deeper")), event) is None
