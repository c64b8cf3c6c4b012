"""A model is explained by a job of its own, and the explanation belongs to the version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from modelyard import Client
from tests.made import sum_model
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
