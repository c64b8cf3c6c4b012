"""What the step writes that explains a model, run as its command is: by an interpreter that knows nothing of Modelyard."""

from __future__ import annotations

import importlib.util
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from modelyard import explaining

SCRIPT: Final = Path(next(iter(explaining.__path__))) / "explain.py"

OWN: Final = '''\
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin


class Halved(TransformerMixin, BaseEstimator):
    """A class of the user's own: ONNX has no form of it."""

    def fit(self, table, y=None):
        self.feature_names_in_ = np.array(table.columns, dtype=object)
        return self

    def transform(self, table):
        return np.asarray(table, dtype=float) / 2


def rule(path):
    """A custom predict function: text and numbers, with an interaction."""
    bonus = pd.read_json(path / "bonus.json", typ="series")

    def predict(table):
        return table["hour"] * table["delay"] + table["carrier"].map(bonus) + np.maximum(table["delay"], 0) + 0 * table["none"]

    return predict


class Slow:
    def predict(self, table):
        import time

        time.sleep(0.1)
        return table.sum(axis=1)


def slow(path):
    return Slow()


def labels(path):
    return lambda table: ["late"] * len(table)


def one(path):
    return lambda table: [1.0]


def broken(path):
    raise ValueError("no such thing")
'''

Explain = Callable[..., tuple[dict[str, Any], pd.DataFrame]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The step's code: the script, and a module of the user's."""
    (tmp_path / "explain.py").write_bytes(SCRIPT.read_bytes())
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def run(folder: Path, table: pd.DataFrame, *words: str) -> subprocess.CompletedProcess[str]:
    table.to_parquet(folder / "rows.parquet")
    command = [sys.executable, "explain.py", "--data", "rows.parquet", "--output", "out", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def explain(folder: Path) -> Explain:
    def call(table: pd.DataFrame, *words: str) -> tuple[dict[str, Any], pd.DataFrame]:
        done = run(folder, table, *words)
        assert done.returncode == 0, done.stderr
        found = json.loads((folder / "out" / "global.json").read_text())
        return found, pd.read_parquet(folder / "out" / "rows.parquet")

    return call


def refused(folder: Path, table: pd.DataFrame, *words: str) -> str:
    """What the step says. (An interpreter that ends so may be aborted by Arrow's threads at its very end.)"""
    done = run(folder, table, *words)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr


def numbers(rows: int, columns: int) -> pd.DataFrame:
    return pd.DataFrame(
        np.random.default_rng(1).normal(size=(rows, columns)), columns=list("abcdefghijklmnop"[:columns])
    )


def test_a_pipeline_of_own_classes_is_explained_exactly(folder: Path, explain: Explain) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    spec = importlib.util.spec_from_file_location("own", folder / "own.py")
    assert spec is not None
    assert spec.loader is not None
    own = sys.modules["own"] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(own)
        table = numbers(90, 3)
        fitted = make_pipeline(own.Halved(), FunctionTransformer(np.negative), LinearRegression()).fit(
            table, 2 * table["a"] - 3 * table["b"] + 7
        )
        (folder / "model.joblib").write_bytes(pickle.dumps(fitted))
    finally:
        del sys.modules["own"]
    words = ("--model", "model.joblib", "--flavour", "sklearn", "--rows", "40")
    summary, rows = explain(table.assign(target=1.0), *words)
    assert (summary["method"], summary["rows"], summary["background"]) == ("exact", 40, 50)
    [output] = summary["outputs"]
    assert output["max_additivity_error"] < 1e-9
    assert {one["name"] for one in output["features"][:2]} == {"a", "b"}
    # Rows and background are two parts of the 90: their means differ, but what a column of a sum adds is its distance from one of them.
    for column, weight in (("a", 2), ("b", -3), ("c", 0)):
        rest = weight * rows[column] - rows[f"shap.{column}"]
        assert rest.to_numpy() == pytest.approx(np.full(40, rest.iloc[0]), abs=1e-9)


def test_a_function_of_texts_and_numbers_has_the_values_of_the_definition(folder: Path, explain: Explain) -> None:
    """Against all orders in which the columns can become known, one by one (Shapley 1953)."""
    chance = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "carrier": chance.choice(["AA", "UA", "DL"], 30),
            "hour": chance.integers(0, 24, 30),
            "delay": chance.normal(size=30),
            "none": chance.normal(size=30),
        }
    )
    (folder / "bonus.json").write_text(json.dumps({"AA": 1.0, "UA": -2.0, "DL": 5.5}))
    words = ("--model", ".", "--loader", "own:rule", "--rows", "10", "--background", "20")
    summary, rows = explain(table, *words)
    assert summary["method"] == "exact"
    background = table.drop(index=rows["row"])

    def predicted(frame: pd.DataFrame) -> float:
        bonus = frame["carrier"].map({"AA": 1.0, "UA": -2.0, "DL": 5.5})
        return float((frame["hour"] * frame["delay"] + bonus + np.maximum(frame["delay"], 0)).mean())

    orders = list(permutations(table.columns))
    for _, row in rows.iterrows():
        expected = dict.fromkeys(table.columns, 0.0)
        for order in orders:
            mixed, before = background.copy(), predicted(background)
            for column in order:
                mixed[column] = row[column]
                after = predicted(mixed)
                expected[column] += (after - before) / len(orders)
                before = after
        found = {column: row[f"shap.{column}"] for column in table.columns}
        assert found == pytest.approx(expected, abs=1e-9)


def test_many_columns_are_sampled_and_still_add_up(folder: Path, explain: Explain) -> None:
    from sklearn.ensemble import RandomForestClassifier

    table = numbers(400, 12)
    fitted = RandomForestClassifier(5, random_state=1).fit(
        table.to_numpy(), np.where(table["a"] + table["b"] > 0, "y", "n")
    )
    (folder / "model.joblib").write_bytes(pickle.dumps(fitted))
    summary, rows = explain(table, "--model", "model.joblib", "--flavour", "sklearn", "--rows", "20")
    assert summary["method"] == "permutation"
    assert [output["name"] for output in summary["outputs"]] == ["probability of n", "probability of y"]
    for output in summary["outputs"]:
        assert output["max_additivity_error"] < 1e-9
        assert {one["name"] for one in output["features"][:2]} == {"a", "b"}
    assert len(rows) == 40
    assert rows["prediction"].between(0, 1).all()


def test_a_sampled_sum_is_exact(folder: Path, explain: Explain) -> None:
    from sklearn.linear_model import LinearRegression

    table = numbers(80, 11)
    (folder / "model.joblib").write_bytes(pickle.dumps(LinearRegression().fit(table, table.sum(axis=1))))
    summary, rows = explain(table, "--model", "model.joblib", "--flavour", "sklearn", "--rows", "30")
    assert summary["method"] == "permutation"
    for column in table.columns:
        rest = rows[column] - rows[f"shap.{column}"]
        assert rest.to_numpy() == pytest.approx(np.full(30, rest.iloc[0]), abs=1e-9)


def test_a_slow_model_has_fewer_permutations(folder: Path, explain: Explain) -> None:
    words = ("--model", ".", "--loader", "own:slow", "--rows", "5", "--background", "5")
    summary, _ = explain(numbers(20, 6), *words, "--seconds", "5")
    assert summary["method"] == "permutation", "all 64 subsets would take 6.4 s"
    assert 2 <= summary["permutations"] < 84
    assert "fewer rows" in refused(folder, numbers(20, 6), *words, "--seconds", "0.1")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--loader", "own:labels"], "no numbers, but for example ['late']"),
        (["--loader", "own:one"], "each row by itself"),
        (["--loader", "own:broken"], "ValueError: no such thing"),
        (["--loader", "nowhere:it"], "No module named 'nowhere'"),
    ],
)
def test_what_cannot_be_explained_says_why(folder: Path, words: list[str], says: str) -> None:
    assert says in refused(folder, numbers(20, 2), "--model", ".", *words)


def test_a_model_and_data_that_do_not_fit(folder: Path) -> None:
    from sklearn.linear_model import LinearRegression

    table = numbers(20, 3)
    (folder / "named.joblib").write_bytes(pickle.dumps(LinearRegression().fit(table, table["a"])))
    (folder / "matrix.joblib").write_bytes(pickle.dumps(LinearRegression().fit(table.to_numpy(), table["a"])))
    (folder / "broken.joblib").write_bytes(b"no pickle")
    few = table[["a", "b"]]
    words = ("--flavour", "sklearn", "--model")
    assert "no column c; the model takes a, b, c" in refused(folder, few, *words, "named.joblib")
    assert "takes 3 columns" in refused(folder, few, *words, "matrix.joblib")
    assert "broken.joblib cannot be loaded" in refused(folder, table, *words, "broken.joblib")
    assert "the data has no rows" in refused(folder, table.head(0), *words, "named.joblib")
