"""MLflow's filter strings and orders."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.mlflow.addresses import (
    ArtifactPath,
    LoggedModelPath,
    Outside,
    RunPath,
    VersionPath,
    artifact_uri,
    experiment_location,
    parse_source,
)
from gateway.domain.mlflow.filters import Condition, Order, parse_filter, parse_order
from gateway.domain.mlflow.registered import MODELS, VERSIONS, search_words, without_prompts
from gateway.domain.mlflow.tracking import RUNS
from modelyard_platform.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ", []),
        ("metrics.rmse < 0.5", [("metric", "rmse", "<", 0.5)]),
        ("metric.`a b` >= -1e-3", [("metric", "a b", ">=", -0.001)]),
        ("params.\"x.y\" = 'it is'", [("param", "x.y", "=", "it is")]),
        (
            "tags.mlflow.runName = 'r' AND tag.k != \"v\"",
            [("tag", "mlflow.runName", "=", "r"), ("tag", "k", "!=", "v")],
        ),
        ("tags.k LIKE 'a%' and tags.k ilike '%B_'", [("tag", "k", "like", "a%"), ("tag", "k", "ilike", "%B_")]),
        ("run_id IN ('a', 'b')", [("attribute", "id", "in", ["a", "b"])]),
        ("attributes.status NOT IN ('FAILED')", [("attribute", "status", "not in", ["FAILED"])]),
        (
            "tags.k IS NULL and params.p is  not  null",
            [("tag", "k", "is null", None), ("param", "p", "is not null", None)],
        ),
        ("start_time<>1700000000000", [("attribute", "started_at", "!=", 1.7e12)]),
        ("dataset.name = 'rows'", [("dataset", "name", "=", "rows")]),
        ("tags.k = 'a AND b = c'", [("tag", "k", "=", "a AND b = c")]),
    ],
)
def test_filters_are_read(text: str, expected: list[tuple[object, ...]]) -> None:
    assert [(one.field, one.key, one.op, one.value) for one in parse_filter(text, RUNS)] == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("metrics.rmse < 'x'", "a number"),
        ("metrics.rmse LIKE 'x'", "LIKE cannot be asked"),
        ("tags.k = x", "text in quotes"),
        ("tags.k = 'x' OR tags.k = 'y'", "OR tags.k"),
        ("tags.k", "a comparison"),
        ("colour = 'red'", "no attribute"),
        ("cats.k = 'x'", "'cats' is not one of"),
        ("run_id IN ()", "quoted texts"),
        ("tags.k = 'x' AND", "what is compared"),
        ("dataset.colour = 'x'", "name, digest and context"),
        ("name = '" + "x" * 10_000 + "'", "at most"),
    ],
)
def test_a_filter_that_cannot_be_read_says_where(text: str, says: str) -> None:
    with pytest.raises(InvalidError, match=says):
        parse_filter(text, RUNS)


@given(st.text(max_size=60))
def test_no_filter_breaks_the_parser(text: str) -> None:
    try:
        parse_filter(text, RUNS)
        parse_order([text], RUNS)
    except InvalidError:
        pass


@given(st.text(alphabet=st.characters(exclude_characters="'"), max_size=30))
def test_quoted_text_comes_through_as_it_is(value: str) -> None:
    assert parse_filter(f"tags.k = '{value}'", RUNS) == [Condition("tag", "k", "=", value)]


def test_orders_are_read() -> None:
    assert parse_order(["metrics.`a b` DESC", "start_time asc", "params.p"], RUNS) == [
        Order("metric", "a b", descending=True),
        Order("attribute", "started_at"),
        Order("param", "p"),
    ]
    with pytest.raises(InvalidError, match="order_by"):
        parse_order(["metrics.x SIDEWAYS"], RUNS)


@pytest.mark.parametrize(
    ("op", "wanted", "actual", "holds"),
    [
        ("=", "a", "a", True),
        ("=", "a", None, False),
        ("!=", "a", None, False),
        ("like", "a.%", "a.bc", True),
        ("like", "a.%", "abc", False),
        ("like", "a_c", "abc", True),
        ("like", "A%", "abc", False),
        ("ilike", "A%", "abc", True),
        ("in", ["a"], "a", True),
        ("not in", ["a"], "b", True),
        ("<", 2, 1, True),
        (">=", 2, 1, False),
        ("is null", None, None, True),
        ("is not null", None, "x", True),
    ],
)
def test_a_condition_is_looked_at_here_as_in_the_database(op: str, wanted: object, actual: object, holds: bool) -> None:
    assert Condition("tag", "k", op, wanted).holds(actual) is holds  # type: ignore[arg-type] # of every kind, by the table


def test_the_registry_is_asked_what_it_can_answer() -> None:
    conditions = parse_filter("name LIKE 'fl%' AND tags.team = 'data science' AND tags.x LIKE 'y%'", MODELS)
    assert search_words(conditions) == "'name:fl*' 'tag:team=data science'"
    assert search_words(parse_filter("name = 'a' and run_id = 'r'", VERSIONS)) == "name:a property:mlflow.run_id=r"
    prompts = parse_filter("name = 'a' AND tags.`mlflow.prompt.is_prompt` != 'true'", MODELS)
    assert without_prompts(prompts) == prompts[:1]


M = "m-" + "0" * 32


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("runs:/abc/model/x", RunPath("abc", "model/x")),
        ("runs:/abc", RunPath("abc", "")),
        (f"models:/{M}", LoggedModelPath(M)),
        ("models:/delay/3", VersionPath("delay", "3")),
        ("models:/delay@champion", VersionPath("delay", "@champion")),
        ("mlflow-artifacts:/1/abc/artifacts/model", ArtifactPath("1/abc/artifacts/model")),
        ("mlflow-artifacts:/registered-models/delay/3/MLmodel", VersionPath("delay", "3", "MLmodel")),
        ("http://here:5000/api/2.0/mlflow-artifacts/artifacts/1/a%20b", ArtifactPath("1/a b")),
        ("s3://bucket/model", Outside("s3://bucket/model")),
    ],
)
def test_sources_are_followed(source: str, expected: object) -> None:
    assert parse_source(source) == expected


@pytest.mark.parametrize("source", ["/tmp/model", "file:///tmp/model", "dbfs:/x", "models:/delay", "runs:/", "", "gs:"])
def test_a_source_nobody_can_follow_is_refused(source: str) -> None:
    with pytest.raises(InvalidError, match="cannot be read from here"):
        parse_source(source)


def test_where_an_experiment_keeps_its_artifacts() -> None:
    assert experiment_location(None) is None
    assert experiment_location("mlflow-artifacts:/mine/here") == "mine/here"
    assert experiment_location("s3://bucket/x/") == "s3://bucket/x"
    with pytest.raises(InvalidError, match="cannot be reached"):
        experiment_location("./mlruns")


def plain_like(pattern: str) -> re.Pattern[str]:
    """What a pattern means, as it reads."""
    return re.compile("".join({"%": ".*", "_": "."}.get(one) or re.escape(one) for one in pattern), re.DOTALL)


@given(st.text("aB%_", max_size=9), st.text("aB\n", max_size=9))
def test_like_means_what_it_says(pattern: str, text: str) -> None:
    assert Condition("tag", "t", "like", pattern).holds(text) == bool(plain_like(pattern).fullmatch(text))
    folded = plain_like(pattern.lower()).fullmatch(text.lower())
    assert Condition("tag", "t", "ilike", pattern).holds(text) == bool(folded)


def test_no_pattern_keeps_the_gateway_busy() -> None:
    """Run apart: a regular expression that finds no end stops every thread of its process."""
    code = (
        "from gateway.domain.mlflow.filters import Condition\n"
        "print(Condition('tag', 't', 'ilike', '%a' * 1000 + 'b').holds('a' * 8000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("location", ["http://[", "s3://[x/y", "mlflow-artifacts://[", "runs:/[/http://["])
def test_addresses_that_are_none_are_refused(location: str) -> None:
    with pytest.raises(InvalidError):
        experiment_location(location)
    if not location.startswith("runs:"):
        with pytest.raises(InvalidError):
            parse_source(location)
    artifact_uri(location)  # what was kept may be anything
