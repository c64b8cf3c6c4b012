"""Explains a model: which columns move its predictions, over all rows and for each. A step of its own, in an environment of its own.

Shapley values by permutation sampling (Štrumbelj and Kononenko 2014; Lundberg and Lee, NeurIPS 2017), by the `shap` package, of the
model's ONNX form. Needs numpy, pandas, pyarrow, onnxruntime and shap; nothing of Modelyard.

Writes into the output folder:

`global.json`   `{method, shap, rows, background, outputs: [{name, base_value, max_additivity_error, features: [{name, mean_abs, mean}]}]}`,
                features by falling `mean_abs`: the mean of the absolute contribution, in the unit of the output
`rows.parquet`  a line for each row and output: `row`, `output`, `base_value`, `prediction`, for each column its value (`<name>`) and
                its contribution (`shap.<name>`); base value and contributions add up to the prediction
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import shap

TABLES = {".parquet": pd.read_parquet, ".csv": pd.read_csv, ".json": lambda path: pd.read_json(path, lines=True)}
NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
SEED = 7
Array = np.ndarray[Any, Any]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True, help="a folder with one .onnx file")
    parser.add_argument("--data", type=Path, required=True, help="a table, or a folder of tables")
    parser.add_argument("--rows", type=int, default=200, help="so many rows are explained")
    parser.add_argument("--background", type=int, default=50, help="so many rows stand for 'a column is not known'")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    model = Model(the_only(arguments.model, {".onnx"}))
    table = read(arguments.data)
    absent = [name for name in model.columns if name not in table.columns]
    if absent:
        sys.exit(f"the data has no column {', '.join(absent)}; the model takes {', '.join(model.columns)}")
    table = table[model.columns].sample(frac=1.0, random_state=SEED)
    background, rows = table.head(arguments.background), table.tail(min(arguments.rows, len(table)))
    summary, lines = explain(model, background, rows)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "global.json").write_text(json.dumps(summary, indent=1))
    lines.to_parquet(arguments.output / "rows.parquet", index=False)
    for output in summary["outputs"]:
        strongest = ", ".join("{name} {mean_abs:.4g}".format(**feature) for feature in output["features"][:5])
        print(f"{output['name']}: {strongest}")


def the_only(folder: Path, suffixes: set[str]) -> Path:
    """The one file of a kind in a folder (or the file itself)."""
    found = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.suffix in suffixes)
    if len(found) != 1:
        sys.exit(f"{folder.name} has {len(found)} files of {', '.join(suffixes)}; one is needed")
    return found[0]


def read(path: Path) -> pd.DataFrame:
    """A table, or all tables of a folder one after the other."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in TABLES)
    if not files:
        sys.exit("the data holds no .parquet, .csv or .json (lines) file")
    return pd.concat([TABLES[file.suffix](file) for file in files], ignore_index=True)


class Model:
    """An ONNX model that takes columns or one matrix; its columns as numbers, texts by their code."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.inputs = self.session.get_inputs()
        names = self.session.get_modelmeta().custom_metadata_map.get("feature_names")
        first = self.inputs[0]
        self.matrix = len(self.inputs) == 1 and len(first.shape) == 2 and first.shape[1] != 1
        if not self.matrix:
            self.columns = [value.name for value in self.inputs]
        elif names:
            self.columns = json.loads(names)
        elif isinstance(first.shape[1], int):
            self.columns = [f"{first.name}.{index}" for index in range(first.shape[1])]
        else:
            sys.exit("the model takes a matrix and does not say of which columns")
        tensors = [value for value in self.session.get_outputs() if value.type in NUMBERS]
        # A classifier's labels say less than its probabilities: where there is a matrix, that is explained.
        wide = [value for value in tensors if len(value.shape) == 2 and value.shape[1] != 1]
        self.output = (wide or tensors)[0].name if tensors else sys.exit("the model has no numeric output")

    def predict(self, table: pd.DataFrame) -> Array:
        """[rows, outputs] of the table."""
        if self.matrix:
            feed = {self.inputs[0].name: table.to_numpy(NUMBERS[self.inputs[0].type])}
        else:
            feed = {
                value.name: (
                    table[value.name].astype(object).where(table[value.name].notna(), "").to_numpy(object)
                    if value.type == "tensor(string)"
                    else table[value.name].to_numpy(NUMBERS[value.type])
                ).reshape((-1, 1) if len(value.shape) == 2 else -1)
                for value in self.inputs
            }
        answer = np.asarray(self.session.run([self.output], feed)[0], dtype=float)
        return answer.reshape(len(table), -1)


def explain(model: Model, background: pd.DataFrame, rows: pd.DataFrame) -> tuple[dict[str, Any], pd.DataFrame]:
    """The two results for `rows`, against `background`."""
    texts = {
        name: pd.concat([background[name], rows[name]]).astype("category").cat.categories for name in texts_of(rows)
    }

    def encoded(table: pd.DataFrame) -> Array:
        return np.column_stack(
            [texts[name].get_indexer(table[name]) if name in texts else table[name] for name in model.columns]
        ).astype(float)

    def predict(numbers: Array) -> Array:
        table = pd.DataFrame(numbers, columns=model.columns)
        for name, categories in texts.items():
            codes = table[name].astype(int)
            table[name] = np.where(codes < 0, None, categories.to_numpy(object)[codes])
        return model.predict(table)

    explainer = shap.PermutationExplainer(
        predict, shap.maskers.Independent(encoded(background), len(background)), seed=SEED
    )
    found = explainer(encoded(rows), max_evals=max(500, 10 * (2 * len(model.columns) + 1)), silent=True)
    values = np.asarray(found.values).reshape(len(rows), len(model.columns), -1)
    bases = np.asarray(found.base_values, dtype=float).reshape(len(rows), -1)
    predictions = model.predict(rows)
    names = [model.output] if values.shape[2] == 1 else [f"{model.output}[{index}]" for index in range(values.shape[2])]
    outputs, lines = [], []
    for index, name in enumerate(names):
        contributions = pd.DataFrame(values[:, :, index], columns=model.columns)
        error = np.abs(bases[:, index] + contributions.sum(axis=1).to_numpy() - predictions[:, index]).max()
        strengths = contributions.abs().mean().sort_values(ascending=False)
        outputs.append(
            {
                "name": name,
                "base_value": float(bases[:, index].mean()),
                "max_additivity_error": float(error),
                "features": [
                    {"name": column, "mean_abs": float(strength), "mean": float(contributions[column].mean())}
                    for column, strength in strengths.items()
                ],
            }
        )
        head = pd.DataFrame(
            {"row": rows.index, "output": name, "base_value": bases[:, index], "prediction": predictions[:, index]}
        )
        lines.append(pd.concat([head, rows.reset_index(drop=True), contributions.add_prefix("shap.")], axis=1))
    summary = {
        "method": "permutation",
        "shap": shap.__version__,
        "rows": len(rows),
        "background": len(background),
        "outputs": outputs,
    }
    return summary, pd.concat(lines, ignore_index=True)


def texts_of(table: pd.DataFrame) -> list[str]:
    """The columns that are no numbers."""
    return [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]


if __name__ == "__main__":
    main()
