"""Which models can become ONNX, told from their files' names and metadata. Nothing is unpickled here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

PICKLES: Final = frozenset({".pkl", ".pickle", ".joblib", ".skops"})
TABLES: Final = (".parquet", ".csv", ".json")
# The key, what puts it into the pickle's memo, and the text that follows, with its length in one byte or four.
_VERSION: Final = re.compile(rb"_sklearn_version(?:\x94|q.|r....)?(?:\x8c(.)|X(....))([0-9][0-9A-Za-z.+]*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Convertible:
    """A scikit-learn model: the file that holds it and, in an MLflow folder, what lies beside it."""

    model: str
    mlmodel: str | None = None


@dataclass(frozen=True, slots=True)
class NotConvertible:
    """Any other model, and why nothing is to be done."""

    reason: str


Decision: TypeAlias = Convertible | NotConvertible


def decide(paths: Iterable[str]) -> Decision:
    """What the files' names say. An MLflow folder is looked into further by `decide_mlflow`."""
    files = sorted(paths)
    if any(PurePosixPath(path).suffix == ".onnx" for path in files):
        return NotConvertible("it is ONNX already")
    mlmodel = next((path for path in files if PurePosixPath(path).name == "MLmodel"), None)
    pickles = [path for path in files if PurePosixPath(path).suffix.lower() in PICKLES]
    if mlmodel is None and len(pickles) == 1:
        return Convertible(pickles[0])
    if mlmodel is not None:
        return Convertible("", mlmodel)
    return NotConvertible("it has no pickle of one scikit-learn model" if not pickles else "it has several pickles")


def decide_mlflow(mlmodel: str, document: Mapping[str, Any]) -> Decision:
    """What an `MLmodel` file says. Source: mlflow.org/docs, MLflow model format."""
    flavours = document.get("flavors")
    flavours = flavours if isinstance(flavours, Mapping) else {}
    sklearn, function = flavours.get("sklearn"), flavours.get("python_function")
    inside = None
    if isinstance(sklearn, Mapping):
        inside = sklearn.get("pickled_model")
    elif isinstance(function, Mapping) and function.get("loader_module") == "mlflow.sklearn":
        inside = function.get("model_path")
    if not isinstance(inside, str):
        return NotConvertible(f"its flavours are {', '.join(map(str, flavours)) or 'not stated'}, not scikit-learn")
    return Convertible(str(PurePosixPath(mlmodel).parent / inside), mlmodel)


def sklearn_version_in(head: bytes) -> str | None:
    """The scikit-learn that wrote a pickle: estimators carry it as a text. None when it is compressed or says nothing."""
    match = _VERSION.search(head)
    if match is None:
        return None
    length = int.from_bytes(match[1] or match[2], "little")
    return match[3][:length].decode()


def records_of(example: Any) -> list[dict[str, Any]] | None:
    """The rows of an MLflow input example (`columns` and `data`, or a list of mappings); None for other forms."""
    if isinstance(example, Mapping) and isinstance(example.get("dataframe_split"), Mapping):
        example = example["dataframe_split"]
    if (
        isinstance(example, Mapping)
        and isinstance(example.get("columns"), list)
        and isinstance(example.get("data"), list)
    ):
        columns = [str(column) for column in example["columns"]]
        return [dict(zip(columns, row, strict=False)) for row in example["data"] if isinstance(row, list)] or None
    if isinstance(example, list) and example and all(isinstance(row, Mapping) for row in example):
        return [dict(row) for row in example]
    return None
