"""Models people really fit, converted by the host in a process of its own and compared on real rows."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import LinearSVC

import modelyard_runtime.hosts.convert_host as host

ROWS = 600
Flights = tuple[pd.DataFrame, "np.ndarray[Any, Any]"]


def in_process(model: object, sample: pd.DataFrame) -> dict[str, Any]:
    """What `main` does between reading and writing: a process for each of the many models below would take minutes."""
    features, by_name = host.features_of(model, sample)
    return host.best(model, features, by_name)[1]


def convert(
    model: object, sample: pd.DataFrame, folder: Path, suffix: str = "parquet"
) -> subprocess.CompletedProcess[str]:
    joblib.dump(model, folder / "model.joblib")
    path = folder / f"sample.{suffix}"
    {
        "parquet": lambda: sample.to_parquet(path),
        "csv": lambda: sample.to_csv(path, index=False),
        "json": lambda: sample.to_json(path, orient="records"),
    }[suffix]()
    return run(folder / "model.joblib", path, folder / "out")


def run(model: Path, sample: Path, output: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, host.__file__, "--model", model, "--sample", sample, "--output", output],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def certificate(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "out" / "certificate.json").read_text())


@pytest.fixture(scope="module")
def flights() -> Flights:
    """Text, whole and real numbers, with values missing in the text and the real ones."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "carrier": rng.choice(["UA", "AA", "DL", "B6"], ROWS),
            "origin": rng.choice(np.array(["EWR", "JFK", "LGA", np.nan], dtype=object), ROWS),
            "hour": rng.integers(5, 24, ROWS),
            "distance": rng.integers(100, 2600, ROWS),
            "wind": np.where(rng.random(ROWS) < 0.1, np.nan, rng.gamma(2.0, 5.0, ROWS)),
        }
    )
    late = (frame["hour"] > 15).to_numpy() ^ (frame["carrier"] == "UA").to_numpy() ^ (rng.random(ROWS) < 0.1)
    return frame, np.where(late, "late", "on time")


def onehot() -> ColumnTransformer:
    return ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "origin"]),
            ("whole", StandardScaler(), ["hour", "distance"]),
            ("real", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["wind"]),
        ]
    )


def ordinal() -> ColumnTransformer:
    return ColumnTransformer(
        [("text", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["carrier", "origin"])],
        remainder="passthrough",
    )


def imputed_text() -> ColumnTransformer:
    text = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    return ColumnTransformer(
        [("text", text, ["carrier", "origin"]), ("all", SimpleImputer(), ["hour", "distance", "wind"])]
    )


def constant_text() -> ColumnTransformer:
    text = make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OrdinalEncoder())
    return ColumnTransformer(
        [("text", text, ["carrier", "origin"]), ("all", SimpleImputer(), ["hour", "distance", "wind"])]
    )


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: LogisticRegression(max_iter=1000),
    "forest": lambda: RandomForestClassifier(20, random_state=1),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=20, random_state=1),
}


@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("columns", [onehot, ordinal, imputed_text, constant_text])
def test_pipeline_on_named_columns(columns: Callable[[], Any], classifier: str, flights: Flights) -> None:
    frame, target = flights
    if columns is ordinal and classifier == "logistic":
        frame = frame.dropna()  # a linear model takes no missing values
        target = target[frame.index]
    model = Pipeline([("columns", columns()), ("model", CLASSIFIERS[classifier]())])
    found = in_process(model.fit(frame, target), frame)
    # A float32 split may send a row another way than float64 did: rare, and it is what the certificate is for.
    assert found["mean_abs_difference"] < 5e-3
    assert found["label_agreement"] >= 0.99
    assert found["rows"] == len(frame)
    assert found["signature"]["classes"] == ["late", "on time"]
    assert {i["name"]: i["type"] for i in found["inputs"]}["carrier"] == "string"
    assert [o["shape"] for o in found["outputs"]] == [[None], [None, 2]]
    assert found["opset"] > 10
    assert {"python", "scikit-learn", "skl2onnx", "onnxruntime"} <= set(found["versions"])


@pytest.mark.parametrize(
    "model", [HistGradientBoostingRegressor(max_iter=20), RandomForestRegressor(10), LinearRegression()]
)
def test_regressor(model: Any, flights: Flights) -> None:
    frame, _ = flights
    found = in_process(Pipeline([("c", onehot()), ("m", model)]).fit(frame, frame["hour"] * 1.5), frame)
    assert found["mean_abs_difference"] < 1e-2
    assert found["label_agreement"] is None
    assert found["signature"]["task"] == "regression"


@pytest.mark.parametrize("model", [RandomForestClassifier(10), GradientBoostingClassifier(n_estimators=5), LinearSVC()])
@pytest.mark.parametrize("named", [True, False])
def test_estimator_alone(model: Any, named: bool) -> None:
    frame, target = load_wine(return_X_y=True, as_frame=True)
    found = in_process(model.fit(frame if named else frame.to_numpy(), target), frame)
    assert found["label_agreement"] >= 0.98
    assert found["signature"]["layout"] == ("columns" if named else "matrix")
    assert len(found["inputs"]) == (13 if named else 1)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_other_samples(suffix: str, flights: Flights, tmp_path: Path) -> None:
    frame, target = flights
    done = convert(Pipeline([("c", onehot()), ("m", LogisticRegression())]).fit(frame, target), frame, tmp_path, suffix)
    assert done.returncode == 0, done.stderr
    assert certificate(tmp_path)["label_agreement"] == 1.0


def test_written_model_answers_alone(flights: Flights, tmp_path: Path) -> None:
    """What is on disk, fed as the signature says, gives what the original gives, unknown and missing text included."""
    frame, target = flights
    model = Pipeline([("c", onehot()), ("m", LogisticRegression(max_iter=1000))]).fit(frame, target)
    assert convert(model, frame, tmp_path).returncode == 0
    row = pd.DataFrame([{"carrier": "never seen", "origin": np.nan, "hour": 9, "distance": 700, "wind": np.nan}])
    row["origin"] = row["origin"].astype(object)
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    kinds = {i["name"]: i["type"] for i in certificate(tmp_path)["inputs"]}
    label, probabilities = session.run(None, host.as_inputs(row, kinds, by_name=True))
    assert label.tolist() == model.predict(row).tolist()
    assert np.abs(probabilities - model.predict_proba(row)).max() < 1e-5


def test_missing_text_learned_as_none(flights: Flights, tmp_path: Path) -> None:
    """CSV gives NaN back where the model was fitted on None: to scikit-learn another category, to a caller the same."""
    frame, target = flights
    frame = frame.assign(origin=frame["origin"].astype(object).where(frame["origin"].notna(), None))
    done = convert(Pipeline([("c", onehot()), ("m", LogisticRegression())]).fit(frame, target), frame, tmp_path, "csv")
    assert done.returncode == 0, done.stderr
    assert certificate(tmp_path)["label_agreement"] == 1.0


def test_unsupported_model_says_why(flights: Flights, tmp_path: Path) -> None:
    frame, _ = flights
    dated = frame.assign(day=pd.Timestamp("2013-01-01"))
    model = RandomForestRegressor(2).fit(frame[["hour"]], frame["hour"])
    model.feature_names_in_ = np.array(["day"], dtype=object)
    done = convert(model, dated, tmp_path)
    assert done.returncode == 3
    assert "'day' is datetime64" in done.stderr
    assert not (tmp_path / "out").exists()


def test_estimator_without_converter(tmp_path: Path) -> None:
    from sklearn.neighbors import NearestCentroid

    frame, target = load_wine(return_X_y=True, as_frame=True)
    done = convert(NearestCentroid().fit(frame.to_numpy(), target), frame, tmp_path)
    assert done.returncode == 3
    assert "NearestCentroid" in done.stderr


def test_wrong_files(flights: Flights, tmp_path: Path) -> None:
    frame, target = flights
    done = convert(
        Pipeline([("c", onehot()), ("m", LogisticRegression())]).fit(frame, target), frame[["hour"]], tmp_path
    )
    assert done.returncode == 2
    assert "lacks the model's columns ['carrier', 'origin', 'distance', 'wind']" in done.stderr
    (tmp_path / "broken.pkl").write_bytes(pickle.dumps(1)[:-1])
    assert run(tmp_path / "broken.pkl", tmp_path / "sample.parquet", tmp_path / "o").returncode == 2
    assert run(tmp_path / "none.pkl", tmp_path / "sample.parquet", tmp_path / "o").returncode == 2
