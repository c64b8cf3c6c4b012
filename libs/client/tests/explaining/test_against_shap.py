"""The step's contributions are those of the `shap` package, which is installed for this test only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from modelyard import explaining
from modelyard_testing.interpreters import interpreter

SCRIPT: Final = Path(next(iter(explaining.__path__))) / "explain.py"
PINNED: Final = Path(__file__).parents[1] / "fixtures" / "explaining" / "shap.txt"
COLUMNS: Final = list("abcdef")

FITTED: Final = """
import joblib, pandas, sys
from sklearn.ensemble import RandomForestClassifier

table = pandas.read_parquet("table.parquet")
joblib.dump(RandomForestClassifier(20, random_state=1).fit(table[[*"abcdef"]], table["late"]), "model.joblib")
"""
THEIRS: Final = """
import importlib.util, joblib, json, numpy, pandas, shap

spec = importlib.util.spec_from_file_location("explain", "explain.py")
ours = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ours)
model = joblib.load("model.joblib")
table = pandas.read_parquet("table.parquet")[[*"abcdef"]].sample(frac=1.0, random_state=ours.SEED)
background, rows = table.head(20), table.tail(15)
predict = lambda values: model.predict_proba(pandas.DataFrame(values, columns=[*"abcdef"]))
explainer = shap.ExactExplainer(predict, shap.maskers.Independent(background.to_numpy(), len(background)))
print(json.dumps(explainer(rows.to_numpy()).values[:, :, 1].tolist()))
"""


@pytest.mark.timeout(300)
def test_contributions_are_those_of_the_shap_package(tmp_path: Path) -> None:
    python = interpreter(PINNED)

    def run(*words: str) -> str:
        command = [str(python), "-W", "ignore", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    table = pd.DataFrame(np.random.default_rng(3).normal(size=(200, 6)), columns=COLUMNS)
    table.assign(late=(table["a"] * table["b"] + table["c"] > 0).astype(int)).to_parquet(tmp_path / "table.parquet")
    (tmp_path / "explain.py").write_bytes(SCRIPT.read_bytes())
    run("-c", FITTED)
    sizes = ("--rows", "15", "--background", "20")
    model = ("--model", "model.joblib", "--flavour", "sklearn", "--data", "table.parquet", "--output", "out")
    run("explain.py", *model, *sizes)
    rows = pd.read_parquet(tmp_path / "out" / "rows.parquet")
    late = rows[rows["output"] == "probability of 1"]
    ours: Any = late[[f"shap.{name}" for name in COLUMNS]].to_numpy()
    theirs = np.array(json.loads(run("-c", THEIRS)))
    assert np.abs(theirs).max() > 0.01
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
