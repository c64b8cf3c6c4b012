"""The model that is scored: a classifier of scikit-learn's wine data (178 rows, 13 features) as ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

TREES: Final = 100
FEATURES: Final = 13


def make(file: Path) -> list[list[float]]:
    """Train a random forest and write it as ONNX; gives the rows it was trained on."""
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.datasets import load_wine
    from sklearn.ensemble import RandomForestClassifier

    table: Any = load_wine()
    rows = table.data.astype(np.float32)
    forest = RandomForestClassifier(n_estimators=TREES, random_state=0).fit(rows, table.target)
    graph = to_onnx(forest, rows[:1], options={id(forest): {"zipmap": False}})
    file.write_bytes(graph.SerializeToString())
    listed: list[list[float]] = rows.tolist()
    return listed
