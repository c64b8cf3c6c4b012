"""Turns a fitted scikit-learn model into ONNX and measures, on a sample, how far the two are apart.

    python convert_host.py --model model.joblib --sample sample.parquet --output FOLDER [--rows 1000]

Runs in the user's own environment (its scikit-learn must be the one that wrote the model) with skl2onnx, onnxruntime and
pandas beside it. Needs nothing of Modelyard. Writes `model.onnx` and `certificate.json`.
Exit codes: 0 converted, 2 the arguments or files are not what they should be, 3 the model has no ONNX form; the reason is
the last line of standard error.

A model that was fitted on named columns gets one input of shape [None, 1] per column: `string`, `int64` or `float`. Any other
gets one `float` input of shape [None, F]. ONNX has no missing text: a missing value in a `string` column is "" there, so
encoders and imputers that know a missing category are given "" in its place, in a copy.
"""

import argparse
import copy
import json
import os
import pickle
import platform
import sys

import numpy as np
import pandas as pd

MISSING = ""


class Unsupported(Exception):
    """The model has no ONNX form (exit code 3)."""


class Unusable(Exception):
    """The arguments or files are not what they should be (exit code 2)."""


def load_model(path):
    """The estimator in `path`: a pickle or a joblib file (joblib reads both), or a skops file by its ending."""
    try:
        if path.endswith(".skops"):
            import skops.io

            return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
        try:
            import joblib

            return joblib.load(path)
        except ImportError:
            with open(path, "rb") as file:
                return pickle.load(file)
    except FileNotFoundError:
        raise Unusable("there is no model file %s" % path)
    except Exception as error:
        raise Unusable(
            "%s cannot be loaded in this environment: %s: %s" % (os.path.basename(path), type(error).__name__, error)
        )


def load_sample(path, rows):
    """The first rows of a .parquet, .csv or .json (list of records) file as a DataFrame."""
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": pd.read_csv,
        ".json": lambda p: pd.read_json(p, orient="records"),
    }
    reader = readers.get(os.path.splitext(path)[1])
    if reader is None:
        raise Unusable("a sample is a .parquet, .csv or .json file, not %s" % os.path.basename(path))
    try:
        frame = reader(path).head(rows)
    except Exception as error:
        raise Unusable("%s cannot be read: %s: %s" % (os.path.basename(path), type(error).__name__, error))
    if not len(frame):
        raise Unusable("%s has no rows" % os.path.basename(path))
    return frame


def features_of(model, sample):
    """The part of the sample that the model reads, in its order, and whether the model knows its columns by name."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        width = getattr(model, "n_features_in_", None)
        if width is None:
            raise Unsupported(
                "%s is not a fitted scikit-learn estimator: it has no n_features_in_" % type(model).__name__
            )
        if width > sample.shape[1]:
            raise Unusable("the model reads %d columns, the sample has %d" % (width, sample.shape[1]))
        return sample.iloc[:, :width], False
    missing = [name for name in names if name not in sample.columns]
    if missing:
        raise Unusable("the sample lacks the model's columns %s; it has %s" % (missing, list(sample.columns)))
    return sample[list(names)], True


def column_types(frame):
    """`string`, `int64` or `float` for every column. Raises Unsupported for dates and the like."""
    from pandas.api import types

    found = {}
    for name, column in frame.items():
        if types.is_bool_dtype(column) or (types.is_integer_dtype(column) and not column.isna().any()):
            found[name] = "int64"
        elif types.is_numeric_dtype(column) and not types.is_complex_dtype(column):
            found[name] = "float"
        elif (
            types.is_object_dtype(column)
            or types.is_string_dtype(column)
            or isinstance(column.dtype, pd.CategoricalDtype)
        ):
            present = column.dropna()
            odd = {type(value).__name__ for value in present if not isinstance(value, str)}
            if odd:
                raise Unsupported(
                    "column %r mixes values of type %s; ONNX knows text and numbers" % (name, ", ".join(sorted(odd)))
                )
            found[name] = "string" if len(present) else "float"
        else:
            raise Unsupported("column %r is %s; ONNX knows text and numbers" % (name, column.dtype))
    return found


def as_inputs(frame, types, by_name):
    """What an ONNX session is fed: {input name: array}, [rows, 1] per column or [rows, F] for all."""
    if not by_name:
        return {"input": frame.to_numpy(dtype=np.float32)}
    feed = {}
    for name, column in frame.items():
        if types[name] == "string":
            values = column.astype(object).where(column.notna(), MISSING).to_numpy(dtype=object)
        else:
            values = column.to_numpy(dtype=np.int64 if types[name] == "int64" else np.float32)
        feed[str(name)] = values.reshape(-1, 1)
    return feed


def parts_of(model):
    """The estimator and every one inside it: steps of pipelines, parts of column transformers, and so on."""
    yield model
    inner = []
    for attribute in ("steps", "transformers_", "estimators_", "transformer_list"):
        found = getattr(model, attribute, None)
        for part in [] if found is None else list(found):
            inner.extend(part[1:2] if isinstance(part, tuple) else [part])
    inner.extend(
        getattr(model, attribute, None) for attribute in ("estimator", "estimator_", "regressor_", "best_estimator_")
    )
    for part in inner:
        if hasattr(part, "get_params") and not isinstance(part, type):
            for part_of_part in parts_of(part):
                yield part_of_part


def is_missing(value):
    return value is None or (isinstance(value, float) and value != value)


def missing_text(model):
    """What the model was shown for a missing text: None where an encoder's categories have it, else NaN. Files do not keep the
    difference, scikit-learn does."""
    for part in parts_of(model):
        categories = getattr(part, "categories_", None)
        if isinstance(categories, list) and any(value is None for column in categories for value in column):
            return None
    return float("nan")


def with_missing_text(features, types, value):
    """The sample with its missing texts written as the model knows them."""
    features = features.copy()
    for name, kind in types.items():
        if kind == "string":
            column = features[name].astype(object)
            absent = column.isna()
            features[name] = column.where(~absent, value) if absent.any() else column
    return features


def without_missing_text(model):
    """A copy in which "" stands for a missing text, in encoders' categories and imputers' missing value."""
    changed = copy.deepcopy(model)
    for part in parts_of(changed):
        categories = getattr(part, "categories_", None)
        if isinstance(categories, list):
            part.categories_ = [_named(c) if c.dtype == object else c for c in categories]
            if encodes_missing_text(part):  # as floats, so that NaN is among what a category may be encoded as
                part.unknown_value = float("nan" if part.unknown_value is None else part.unknown_value)
        statistics = getattr(part, "statistics_", None)
        if isinstance(statistics, np.ndarray) and statistics.dtype == object and is_missing(part.missing_values):
            part.missing_values = MISSING
    return changed


def encodes_missing_text(part):
    """Whether this is an OrdinalEncoder in whose (already renamed) categories a missing text is."""
    categories = getattr(part, "categories_", None) or []
    return hasattr(part, "encoded_missing_value") and any(c.dtype == object and MISSING in c for c in categories)


def encode_missing_text(graph, model):
    """Gives "" the number that the model's OrdinalEncoders have for a missing text; skl2onnx gives it the next one in the row."""
    encoded = {
        repr(part.encoded_missing_value): float(part.encoded_missing_value)
        for part in parts_of(model)
        if encodes_missing_text(part)
    }
    if len(encoded) > 1:
        raise Unsupported("its OrdinalEncoders differ in encoded_missing_value: %s" % ", ".join(sorted(encoded)))
    for node in graph.node:
        attributes = {a.name: a for a in node.attribute}
        if node.op_type == "LabelEncoder" and encoded and "values_floats" in attributes:
            for position, key in enumerate(attributes["keys_strings"].strings):
                if key.decode("utf-8") == MISSING:
                    attributes["values_floats"].floats[position] = list(encoded.values())[0]


def _named(categories):
    return np.array([MISSING if is_missing(c) else c for c in categories], dtype=object)


def convert(model, types, by_name, width):
    """The model as an ONNX protobuf; classifiers give `label` and a plain matrix `probabilities`."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn.base import is_classifier

    kinds = {"string": StringTensorType, "int64": Int64TensorType, "float": FloatTensorType}
    if by_name:
        initial = [(str(name), kinds[kind]([None, 1])) for name, kind in types.items()]
        model = without_missing_text(model)
        if not takes_columns(model):
            model = joined(model, list(types))
    else:
        initial = [("input", FloatTensorType([None, width]))]
    options = None
    if is_classifier(model):  # a pipeline hands its default, zipmap, down to classifiers that know no such option
        options = {id(final_step(model)): {"zipmap": False} if hasattr(model, "predict_proba") else {"nocl": False}}
    send_missing_values_as_fitted()
    try:
        onnx_model = convert_sklearn(model, initial_types=initial, options=options)
    except Exception as error:
        raise Unsupported(
            "skl2onnx cannot convert %s: %s: %s" % (type(final_step(model)).__name__, type(error).__name__, error)
        )
    encode_missing_text(onnx_model.graph, model)
    rename_inputs(onnx_model.graph, [name for name, _ in initial])
    return onnx_model


def rename_inputs(graph, names):
    """Gives inputs their columns' names back, which skl2onnx has made into identifiers (`od280/od315` to `od280_od315`)."""
    renamed = {found.name: name for found, name in zip(graph.input, names)}
    for found in graph.input:
        found.name = renamed[found.name]
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]


def send_missing_values_as_fitted():
    """Makes skl2onnx write down on which side of a tree's split missing values go: it leaves them on the right for scikit-learn's
    own trees, and for histogram boosting passes on a flag that onnx refuses as a boolean."""
    from skl2onnx.common import tree_ensemble
    from skl2onnx.operator_converters import random_forest

    side = "nodes_missing_value_tracks_true"
    add_node, add_tree = tree_ensemble.add_node, tree_ensemble.add_tree_to_attribute_pairs

    def add_node_with_side(*arguments, **named):
        if side in named:
            named[side] = int(named[side])
        return add_node(*arguments, **named)

    def add_tree_with_sides(pairs, is_classifier, tree, *arguments, **named):
        add_tree(pairs, is_classifier, tree, *arguments, **named)
        sides = getattr(tree, "missing_go_to_left", None)
        if sides is not None and len(sides):
            pairs[side][-len(sides) :] = [int(value) for value in sides]

    if getattr(tree_ensemble.add_node, "__name__", "") != add_node_with_side.__name__:
        tree_ensemble.add_node = add_node_with_side
        random_forest.add_tree_to_attribute_pairs = add_tree_with_sides


def takes_columns(model):
    """Whether the first thing the model does is to pick its columns, which skl2onnx maps to one input each."""
    while hasattr(model, "steps"):
        model = model.steps[0][1]
    return hasattr(model, "transformers_")


def final_step(model):
    while hasattr(model, "steps"):
        model = model.steps[-1][1]
    return model


def joined(model, names):
    """The model behind a step that joins single columns into the matrix it was fitted on."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    join = ColumnTransformer([("join", "passthrough", names)]).fit(pd.DataFrame({name: [0.0] for name in names}))
    return Pipeline([("columns", join), ("model", model)])


def predictions(model, features, by_name):
    """(labels or values [rows], probabilities [rows, classes] or None) by the original."""
    data = features if by_name else features.to_numpy()
    return model.predict(data), model.predict_proba(data) if hasattr(model, "predict_proba") else None


def compare(original, session, feed):
    """The certificate's figures. Differences are of probabilities where there are some, else of predicted numbers."""
    labels, probabilities = original
    answers = session.run(None, feed)
    got = np.asarray(answers[0]).reshape(np.shape(labels))
    numeric = np.issubdtype(np.asarray(labels).dtype, np.floating)
    if probabilities is not None:
        difference = np.abs(np.asarray(probabilities, dtype=float) - np.asarray(answers[1], dtype=float))
    elif numeric:
        difference = np.abs(np.asarray(labels, dtype=float) - got.astype(float))
    else:
        difference = (got != labels).astype(float)
    return {
        "max_abs_difference": float(difference.max()),
        "mean_abs_difference": float(difference.mean()),
        "label_agreement": None if numeric else float(np.mean(got.astype(str) == np.asarray(labels).astype(str))),
        "rows": int(len(labels)),
    }


def session_of(onnx_model):
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(onnx_model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Unsupported("onnxruntime refuses the converted model: %s" % error)


def described(values):
    names = {"tensor(float)": "float", "tensor(double)": "double", "tensor(int64)": "int64", "tensor(string)": "string"}
    return [
        {
            "name": v.name,
            "type": names.get(v.type, v.type),
            "shape": [d if isinstance(d, int) else None for d in v.shape],
        }
        for v in values
    ]


def versions():
    import onnx
    import onnxruntime
    import skl2onnx
    import sklearn

    modules = {"scikit-learn": sklearn, "skl2onnx": skl2onnx, "onnx": onnx, "onnxruntime": onnxruntime, "numpy": np}
    found = {name: module.__version__ for name, module in modules.items()}
    found["python"] = platform.python_version()
    return found


def certify(model, features, types, by_name):
    """(ONNX protobuf, certificate) for one choice of column types."""
    onnx_model = convert(model, types, by_name, features.shape[1])
    session = session_of(onnx_model)
    try:
        figures = compare(predictions(model, features, by_name), session, as_inputs(features, types, by_name))
    except Unsupported:
        raise
    except Exception as error:
        raise Unsupported("the sample does not run through the model: %s: %s" % (type(error).__name__, error))
    classes = getattr(model, "classes_", None)
    certificate = dict(figures)
    certificate.update(
        opset=max(o.version for o in onnx_model.opset_import if o.domain == ""),
        inputs=described(session.get_inputs()),
        outputs=described(session.get_outputs()),
        signature={
            "task": "regression" if classes is None else "classification",
            "layout": "columns" if by_name else "matrix",
            "columns": [str(name) for name in features.columns] if by_name else None,
            "classes": None if classes is None else classes.tolist(),
            "missing_text": MISSING,
        },
        versions=versions(),
    )
    return onnx_model, certificate


def best(model, features, by_name):
    """Whole numbers are tried as int64 first; where a converter has no int64 form they go in as float, like the model's own."""
    types = column_types(features)
    features = with_missing_text(features, types, missing_text(model))
    if by_name and not takes_columns(model):
        if "string" in types.values():
            raise Unsupported("%s reads text columns without a ColumnTransformer" % type(model).__name__)
        types = dict.fromkeys(types, "float")
    try:
        return certify(model, features, types, by_name)
    except Unsupported:
        if "int64" not in types.values() or not by_name:
            raise
        return certify(model, features, {n: "float" if t == "int64" else t for n, t in types.items()}, by_name)


def main():
    parser = argparse.ArgumentParser(description="scikit-learn to ONNX, with a certificate")
    parser.add_argument("--model", required=True)
    parser.add_argument("--sample", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--rows", type=int, default=1000)
    arguments = parser.parse_args()
    try:
        model = load_model(arguments.model)
        features, by_name = features_of(model, load_sample(arguments.sample, arguments.rows))
        onnx_model, certificate = best(model, features, by_name)
    except (Unusable, Unsupported) as error:
        sys.stderr.write("%s\n" % error)
        return 3 if isinstance(error, Unsupported) else 2
    os.makedirs(arguments.output, exist_ok=True)
    with open(os.path.join(arguments.output, "model.onnx"), "wb") as file:
        file.write(onnx_model.SerializeToString())
    with open(os.path.join(arguments.output, "certificate.json"), "w") as file:
        json.dump(certificate, file, indent=1, sort_keys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
