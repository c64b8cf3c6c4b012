"""Which models can become ONNX, told from what their files are. Nothing is unpickled here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from modelyard_flavours import Inspection

TABLES: Final = (".parquet", ".csv", ".json")


@dataclass(frozen=True, slots=True)
class Convertible:
    """A scikit-learn model: the file that holds it, the `MLmodel` beside it in an MLflow folder, the scikit-learn that wrote it."""

    model: str
    mlmodel: str | None = None
    written_by: str | None = None


@dataclass(frozen=True, slots=True)
class NotConvertible:
    """Any other model, and why nothing is to be done."""

    reason: str


Decision: TypeAlias = Convertible | NotConvertible


def decide(found: Inspection) -> Decision:
    """One scikit-learn model becomes ONNX; in an MLflow folder the one that its `MLmodel` names."""
    if any(found.named("onnx")):
        return NotConvertible("it is ONNX already")
    for warned in found.warnings:
        if warned.file.rpartition("/")[2] == "MLmodel":
            return NotConvertible(f"{warned.file}: {warned.detail}")
    models = {flavour.file: flavour.version for flavour in found.named("sklearn")}
    mlmodel = next(found.named("mlflow"), None)
    if mlmodel is not None:
        wrapped = (one.file for one in found.named("python_function") if one.loader == "mlflow.sklearn")
        named = (found.mlflow or {}).get("files", {}).get("sklearn") or next(wrapped, None)
        if named is not None:
            return Convertible(named, mlmodel.file, models.get(named))
    elif len(models) == 1:
        [(path, version)] = models.items()
        return Convertible(path, None, version)
    elif models:
        return NotConvertible(f"it has several scikit-learn models: {', '.join([*models][:5])}")
    names = sorted({one.name for one in found.flavours} - {"mlflow"})
    unread = "; ".join(f"{one.file}: {one.detail}" for one in found.warnings[:3])
    what = (
        f"its flavours are {', '.join(names)}, not scikit-learn" if names else "no file of it is a scikit-learn model"
    )
    return NotConvertible(f"{what} ({unread})" if unread else what)


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
