"""Explains a model: which columns move its predictions, over all rows and for each. A step of its own, run by the model's own interpreter.

Shapley values: a prediction is shared out among its columns, where a column that is not known has the values of the background's rows
(the interventional value function of Lundberg and Lee, NeurIPS 2017). With few columns all their subsets are looked at, and the values
are exact; with more, permutations are drawn, each with its reverse (Štrumbelj and Kononenko 2014; Mitchell et al., JMLR 2022).
Only `predict` is asked for, so that any model will do; it needs numpy, pandas and pyarrow beside the model's own library, and nothing of
Modelyard.

Writes into the output folder:

`global.json`   `{method, rows, background, permutations, outputs: [{name, base_value, max_additivity_error, features}]}`,
                features are `{name, mean_abs, mean}` by falling `mean_abs`: the mean of the absolute contribution, in the output's unit
`rows.parquet`  a line for each row and output: `row`, `output`, `base_value`, `prediction`, for each column its value (`<name>`) and
                its contribution (`shap.<name>`); base value and contributions add up to the prediction
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]
    Worth = Callable[[int], Array]

TABLES = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".json": lambda path: pd.read_json(path, lines=True)}
SEED = 7
SUBSETS = 512
"""So many subsets of columns are looked at; of many columns those of ten pairs of permutations, where that is more."""
BATCH = 50_000
"""Rows that are predicted at a time."""
NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        help="the file of the model, the folder of an MLmodel, or what the loader takes",
    )
    parser.add_argument("--flavour", choices=FLAVOURS, help="what wrote it")
    parser.add_argument("--data", type=Path, required=True, help="a table, or a folder of tables")
    parser.add_argument(
        "--loader", help="MODULE:FUNCTION instead: given the model's path, it gives what predicts a table"
    )
    parser.add_argument("--rows", type=int, default=200, help="so many rows are explained")
    parser.add_argument("--background", type=int, default=50, help="so many rows stand for 'a column is not known'")
    parser.add_argument(
        "--seconds", type=float, default=1800.0, help="for all predictions; then there are fewer permutations"
    )
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    model = own(arguments.model, arguments.loader) if arguments.loader else FLAVOURS[arguments.flavour](arguments.model)
    table = read(arguments.data)
    columns = model.columns if model.columns is not None else list(table.columns)[: model.width]
    absent = [name for name in columns if name not in table.columns]
    if absent or (model.width or 0) > len(columns):
        wanted = ", ".join(map(str, model.columns or [f"{model.width} columns"]))
        sys.exit(f"the data has no column {', '.join(map(str, absent)) or len(columns)}; the model takes {wanted}")
    table = table[columns].sample(frac=1.0, random_state=SEED)
    background, rows = table.head(arguments.background), table.tail(min(arguments.rows, len(table)))
    summary, lines = explain(model, background, rows, arguments.seconds)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "global.json").write_text(json.dumps(summary, indent=1))
    lines.to_parquet(arguments.output / "rows.parquet", index=False)
    for output in summary["outputs"]:
        strongest = ", ".join("{name} {mean_abs:.4g}".format(**feature) for feature in output["features"][:5])
        print(f"{output['name']}: {strongest}")


def read(path: Path) -> pd.DataFrame:
    """A table, or all tables of a folder one after the other."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in TABLES)
    if not files:
        sys.exit("the data holds no .parquet, .csv or .json (lines) file")
    found = pd.concat([TABLES[file.suffix](file) for file in files], ignore_index=True)
    return found if len(found) else sys.exit("the data has no rows")


class Model:
    """What a model takes (`columns` by name, or the first `width` columns of a table, or all of them), and what it gives for a table:
    numbers [rows, outputs]. `names` of the outputs are known once it has predicted."""

    def __init__(
        self,
        run: Callable[[pd.DataFrame], Any],
        columns: list[Any] | None = None,
        width: int | None = None,
        names: list[str] | None = None,
        output: str = "prediction",
    ) -> None:
        self.columns = columns
        self.width = width
        self.names = names or []
        self._run = run
        self._output = output

    def predict(self, table: pd.DataFrame) -> Array:
        found = self._run(table)
        if isinstance(found, pd.DataFrame):
            self.names = self.names or [str(name) for name in found.columns]
        try:
            numbers = np.asarray(found, dtype=float)
        except (TypeError, ValueError):
            some = np.asarray(found, dtype=object).ravel()[:1].tolist()
            sys.exit(f"the model's predictions are no numbers, but for example {some}: there is nothing to share out")
        if not numbers.size or numbers.shape[0] != len(table):
            sys.exit(f"the model gave {numbers.shape} for {len(table)} rows: it has to predict each row by itself")
        numbers = numbers.reshape(len(table), -1)
        if not self.names:
            one = numbers.shape[1] == 1
            self.names = [self._output] if one else [f"{self._output}[{place}]" for place in range(numbers.shape[1])]
        return numbers


def loading(path: Path, read: Callable[[], Any]) -> Any:
    """What `read` gives; what keeps it from that is said in one line."""
    try:
        return read()
    except Exception as error:  # noqa: BLE001 - whatever the user's files and libraries raise
        sys.exit(f"{path.name} cannot be loaded in this environment: {type(error).__name__}: {error}")


def own(path: Path, loader: str) -> Model:
    """By the user's own function; what it gives has `predict`, or is to be called."""
    module, _, function = loader.partition(":")
    made = loading(path, lambda: getattr(importlib.import_module(module), function)(path))
    return of(made) if hasattr(made, "predict") else Model(made)


def mlflow(folder: Path) -> Model:
    """By the library that it is of, where that says more than `predict`; else as MLflow's `python_function`."""
    described = loading(folder, lambda: importlib.import_module("mlflow.models").Model.load(str(folder)))
    for library in ("sklearn", "xgboost", "lightgbm"):
        if library in described.flavors:
            flavour = importlib.import_module(f"mlflow.{library}")
            return of(loading(folder, lambda: flavour.load_model(str(folder))))  # noqa: B023 - called at once
    signature = described.signature
    if signature is not None and signature.inputs.is_tensor_spec():
        sys.exit(f"the model takes {signature.inputs}: no columns that a prediction could be shared out among")
    names = signature.inputs.input_names() if signature is not None and signature.inputs.has_input_names() else None
    loaded = loading(folder, lambda: importlib.import_module("mlflow.pyfunc").load_model(str(folder)))
    return Model(loaded.predict, names)


def sklearn(path: Path) -> Model:
    """A pickle, joblib or skops file. This is the interpreter of the model's own environment, in a step."""

    def read() -> Any:
        if path.suffix == ".skops":
            skops = importlib.import_module("skops.io")
            return skops.load(path, trusted=skops.get_untrusted_types(file=path))
        return importlib.import_module("joblib").load(path)

    return of(loading(path, read))


def xgboost(path: Path) -> Model:
    """XGBoost's own file."""
    library = importlib.import_module("xgboost")
    return of(loading(path, lambda: library.Booster(model_file=str(path))))


def lightgbm(path: Path) -> Model:
    """LightGBM's own file."""
    library = importlib.import_module("lightgbm")
    return of(loading(path, lambda: library.Booster(model_file=str(path))))


def of(model: Any) -> Model:
    """An object that predicts; a classifier's probabilities say more than its labels."""
    made_by = f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}"
    if made_by == "xgboost.Booster":
        matrix, names = importlib.import_module("xgboost").DMatrix, model.feature_names
        width = None if names else model.num_features()
        return Model(lambda table: model.predict(matrix(table if names else table.to_numpy())), names, width)
    if made_by == "lightgbm.Booster":
        return Model(model.predict, None, model.num_feature())
    probable = hasattr(model, "predict_proba")
    predict = model.predict_proba if probable else model.predict
    classes = [f"probability of {name}" for name in getattr(model, "classes_", ())] if probable else None
    columns, width = getattr(model, "feature_names_in_", None), getattr(model, "n_features_in_", None)
    if columns is not None or width is None:
        return Model(predict, None if columns is None else list(columns), None, classes)
    return Model(lambda table: predict(table.to_numpy()), None, width, classes)


def onnx(path: Path) -> Model:
    """An ONNX model that takes columns or one matrix."""
    runtime = importlib.import_module("onnxruntime")
    session = loading(path, lambda: runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]))
    inputs = session.get_inputs()
    odd = [value.name for value in inputs if len(value.shape) > 2 or value.type not in (*NUMBERS, "tensor(string)")]
    if odd:
        sys.exit(f"the model's input {', '.join(odd)} is no column and no matrix of numbers or texts")
    first = inputs[0]
    matrix = len(inputs) == 1 and len(first.shape) == 2 and first.shape[1] != 1
    named = session.get_modelmeta().custom_metadata_map.get("feature_names") if matrix else None
    columns = json.loads(named) if named else None if matrix else [value.name for value in inputs]
    width = first.shape[1] if columns is None else None
    if columns is None and not isinstance(width, int):
        sys.exit("the model takes a matrix and does not say of which columns")
    tensors = [value for value in session.get_outputs() if value.type in NUMBERS]
    if not tensors:
        sys.exit("the model has no numeric output")
    # A classifier's labels say less than its probabilities: where there is a matrix, that is explained.
    output = ([value for value in tensors if len(value.shape) == 2 and value.shape[1] != 1] or tensors)[0].name

    def run(table: pd.DataFrame) -> Any:
        if matrix:
            return session.run([output], {first.name: table.to_numpy(NUMBERS[first.type])})[0]
        feed = {
            value.name: (
                table[value.name].astype(object).where(table[value.name].notna(), "").to_numpy(object)
                if value.type == "tensor(string)"
                else table[value.name].to_numpy(NUMBERS[value.type])
            ).reshape((-1, 1) if len(value.shape) == 2 else -1)
            for value in inputs
        }
        return session.run([output], feed)[0]

    return Model(run, columns, width, None, output)


FLAVOURS = {"onnx": onnx, "mlflow": mlflow, "sklearn": sklearn, "xgboost": xgboost, "lightgbm": lightgbm}


def explain(
    model: Model, background: pd.DataFrame, rows: pd.DataFrame, seconds: float
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The two results for `rows`, against `background`."""
    columns = list(rows.columns)
    worth = worths(model, background, rows)
    everything = (1 << len(columns)) - 1
    begun = time.monotonic()
    bases, predictions = worth(0), worth(everything)
    each = (time.monotonic() - begun) / 2
    if 1 << len(columns) <= SUBSETS and each * (everything + 1) < seconds:
        method, values, permutations = "exact", exact(worth, len(columns)), None
    else:
        method = "permutation"
        values, permutations = sampled(worth, len(columns), seconds)
    outputs, lines = [], []
    for index, name in enumerate(model.names):
        contributions = pd.DataFrame(values[:, :, index], columns=columns)
        error = np.abs(bases[:, index] + contributions.sum(axis=1).to_numpy() - predictions[:, index]).max()
        strengths = contributions.abs().mean().sort_values(ascending=False)
        outputs.append(
            {
                "name": name,
                "base_value": float(bases[:, index].mean()),
                "max_additivity_error": float(error),
                "features": [
                    {"name": str(column), "mean_abs": float(strength), "mean": float(contributions[column].mean())}
                    for column, strength in strengths.items()
                ],
            }
        )
        head = pd.DataFrame(
            {"row": rows.index, "output": name, "base_value": bases[:, index], "prediction": predictions[:, index]}
        )
        found = [head, rows.reset_index(drop=True), contributions.add_prefix("shap.")]
        lines.append(pd.concat(found, axis=1).rename(columns=str))
    summary = {
        "method": method,
        "rows": len(rows),
        "background": len(background),
        "permutations": permutations,
        "outputs": outputs,
    }
    return summary, pd.concat(lines, ignore_index=True)


def worths(model: Model, background: pd.DataFrame, rows: pd.DataFrame) -> Worth:
    """What is predicted for each row [rows, outputs] when only a subset of its columns (bits) is known, each subset asked for once."""
    both = pd.concat([background, rows], ignore_index=True)
    width, batch = len(background), max(1, BATCH // len(background))
    known: dict[int, Array] = {}

    def predict(subset: int, first: int, last: int) -> Array:
        own = np.repeat(np.arange(width + first, width + last), width)
        others = np.tile(np.arange(width), last - first)
        table = pd.DataFrame(
            {name: both[name].take(own if subset >> bit & 1 else others).array for bit, name in enumerate(both.columns)}
        )
        average: Array = model.predict(table).reshape(last - first, width, -1).mean(axis=1)
        return average

    def worth(subset: int) -> Array:
        if subset not in known:
            starts = range(0, len(rows), batch)
            known[subset] = np.concatenate([predict(subset, one, min(one + batch, len(rows))) for one in starts])
        return known[subset]

    return worth


def exact(worth: Worth, columns: int) -> Array:
    """Contributions [rows, columns, outputs] from all subsets: Shapley's own formula."""
    shares = [
        math.factorial(size) * math.factorial(columns - size - 1) / math.factorial(columns) for size in range(columns)
    ]
    values = np.zeros((len(worth(0)), columns, worth(0).shape[1]))
    for subset in range(1 << columns):
        for column in range(columns):
            if not subset >> column & 1:
                share = shares[bin(subset).count("1")]  # noqa: FURB161 - bit_count came with Python 3.10
                values[:, column] += share * (worth(subset | 1 << column) - worth(subset))
    return values


def sampled(worth: Worth, columns: int, seconds: float) -> tuple[Array, int]:
    """Their estimate from permutations, and how many those were. Each has its reverse beside it, which evens out what the
    beginnings of permutations have in common."""
    deadline, chance = time.monotonic() + seconds, np.random.default_rng(SEED)
    values = np.zeros((len(worth(0)), columns, worth(0).shape[1]))
    pairs, most = 0, max(10, SUBSETS // (2 * columns))
    while pairs == 0 or (pairs < most and time.monotonic() < deadline):
        order = chance.permutation(columns)
        for one in (order, order[::-1]):
            subset = 0
            for column in one.tolist():
                if pairs == 0 and time.monotonic() > deadline:
                    sys.exit(f"one permutation takes more than {seconds:g} s: give fewer rows, or more seconds")
                values[:, column] += worth(subset | 1 << column) - worth(subset)
                subset |= 1 << column
        pairs += 1
    return values / (2 * pairs), 2 * pairs


if __name__ == "__main__":
    main()
