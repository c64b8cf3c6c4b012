"""What serving's tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def small_model(folder: Path, *, constant: float = 0.0) -> Path:
    """A real ONNX model in `folder`: a line fitted to 2 columns, [N, 2] to [N, 1], moved by a constant."""
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.linear_model import LinearRegression

    inputs = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]], dtype=np.float32)
    fitted: Any = LinearRegression().fit(inputs, inputs.sum(axis=1) + constant)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    file.write_bytes(to_onnx(fitted, inputs[:1], target_opset=18).SerializeToString())
    return file
