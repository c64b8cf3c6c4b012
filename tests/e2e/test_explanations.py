"""A model is explained by a job of its own, and the explanation belongs to the version."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from modelyard import Client
from tests.made import code, sum_model
from tests.on_stack import MARKS

pytestmark = MARKS

INSTALL_S = 240
"""The environment of explanations is made anew, from the package index."""


def test_a_sum_is_explained_exactly(client: Client, tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).normal(size=(120, 2)).astype("float32")
    pd.DataFrame(numbers, columns=["a", "b"]).to_parquet(tmp_path / "rows.parquet")
    client.models.create(
        {"name": "explained-sum", "version": "1", "path": str(sum_model(tmp_path / "model", plus=2.0))}
    )

    job = client.explanations.create("explained-sum", data=str(tmp_path / "rows.parquet"), rows=40)
    ended = client.jobs.wait(job["name"], timeout_s=INSTALL_S)
    assert ended["status"] == "completed", ended["detail"]

    found = client.explanations.get("explained-sum", "1")
    assert found["job"] == job["name"]
    [output] = found["summary"]["outputs"]
    assert {feature["name"] for feature in output["features"]} == {"a", "b"}
    assert output["max_additivity_error"] < 1e-4

    folder = client.explanations.download("explained-sum", "1", target=tmp_path / "found")
    rows = pd.read_parquet(folder / "explanation" / "rows.parquet")
    assert len(rows) == 40
    # What a column of a sum contributes is its distance from its mean; so two rows differ by exactly their values' difference.
    for column in ("a", "b"):
        distance = rows[column] - rows[f"shap.{column}"]
        assert distance.to_numpy() == pytest.approx(np.full(40, distance.iloc[0]), abs=1e-4)
    assert rows["prediction"].to_numpy() == pytest.approx((rows["a"] + rows["b"] + 2).to_numpy(), abs=1e-5)


PIPELINE = """\
    import numpy as np
    from sklearn.base import BaseEstimator, TransformerMixin


    class Halved(TransformerMixin, BaseEstimator):
        def fit(self, table, y=None):
            self.feature_names_in_ = np.array(table.columns, dtype=object)
            return self

        def transform(self, table):
            return np.asarray(table, dtype=float) / 2
"""


def test_a_model_without_an_onnx_form_is_explained_in_its_own_environment(client: Client, tmp_path: Path) -> None:
    src = code(tmp_path / "src", own=PIPELINE)
    rows = pd.DataFrame(np.random.default_rng(1).normal(size=(120, 2)), columns=["a", "b"])
    rows.to_parquet(tmp_path / "rows.parquet")
    with imported(src / "own.py") as own:
        fitted = make_pipeline(own.Halved(), LinearRegression()).fit(rows, 2 * rows["a"] - 3 * rows["b"])
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted))
    environment = {
        "conda_file": {
            "name": "fitted",
            "dependencies": ["python=3.11", {"pip": [f"scikit-learn=={sklearn.__version__}"]}],
        }
    }
    client.models.create({"name": "no-onnx", "version": "1", "path": str(tmp_path / "model.pkl")})

    job = client.explanations.create(
        "no-onnx", data=str(tmp_path / "rows.parquet"), rows=40, environment=environment, code=src
    )
    ended = client.jobs.wait(job["name"], timeout_s=INSTALL_S)
    assert ended["status"] == "completed", ended["detail"]

    [output] = client.explanations.get("no-onnx", "1")["summary"]["outputs"]
    assert [feature["name"] for feature in output["features"]] == ["b", "a"]
    folder = client.explanations.download("no-onnx", "1", target=tmp_path / "found")
    found = pd.read_parquet(folder / "explanation" / "rows.parquet")
    for column, weight in (("a", 2), ("b", -3)):
        distance = weight * found[column] - found[f"shap.{column}"]
        assert distance.to_numpy() == pytest.approx(np.full(40, distance.iloc[0]), abs=1e-9)
    assert "| b |" in client.models.card_markdown("no-onnx", "1")


@contextmanager
def imported(file: Path) -> Iterator[ModuleType]:
    """A user's module, under its own name as pickles have it."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[file.stem]
