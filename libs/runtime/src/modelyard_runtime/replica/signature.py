"""What a model takes and gives, read from its ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

Layout = Literal["columns", "matrix", "tensors"]
"""`columns`: one [N, 1] input per feature (a pipeline trained on a DataFrame); `matrix`: one [N, F] input; `tensors`:
anything else, V2 only."""

_ONNX: Final[dict[str, tuple[str, type[np.generic]]]] = {
    "tensor(float)": ("FP32", np.float32),
    "tensor(double)": ("FP64", np.float64),
    "tensor(float16)": ("FP16", np.float16),
    "tensor(int64)": ("INT64", np.int64),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(int16)": ("INT16", np.int16),
    "tensor(int8)": ("INT8", np.int8),
    "tensor(uint64)": ("UINT64", np.uint64),
    "tensor(uint32)": ("UINT32", np.uint32),
    "tensor(uint16)": ("UINT16", np.uint16),
    "tensor(uint8)": ("UINT8", np.uint8),
    "tensor(bool)": ("BOOL", np.bool_),
    "tensor(string)": ("BYTES", np.object_),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor.

    `datatype` is the Open Inference Protocol's word for it, `shape` has None where a dimension is free.
    """

    name: str
    datatype: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    @property
    def v2_shape(self) -> list[int]:
        """The shape as V2 metadata writes it: -1 for a free dimension."""
        return [-1 if size is None else size for size in self.shape]


@dataclass(frozen=True, slots=True)
class Signature:
    """A model's inputs and tensor outputs.

    `features` are the column names of the two tabular layouts, in the model's order.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layout: Layout
    features: tuple[str, ...]
    names_known: bool

    def input(self, name: str) -> Tensor | None:
        return next((tensor for tensor in self.inputs if tensor.name == name), None)


def tensor(name: str, onnx_type: str, shape: list[Any]) -> Tensor | None:
    """The tensor an ONNX value describes, or None when it is no tensor (a ZipMap's sequence of maps)."""
    if onnx_type not in _ONNX:
        return None
    datatype, kind = _ONNX[onnx_type]
    return Tensor(name, datatype, np.dtype(kind), tuple(size if isinstance(size, int) else None for size in shape))


def signature(
    inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], feature_names: tuple[str, ...] | None = None
) -> Signature:
    """Reads the layout off the inputs.

    Raises:
        ValueError: `feature_names` do not fit the width of the model's matrix.
    """
    if len(inputs) == 1 and len(inputs[0].shape) == 2 and (inputs[0].shape[1] != 1 or feature_names):
        width = inputs[0].shape[1]
        if feature_names is not None and width is not None and len(feature_names) != width:
            raise ValueError(
                f"feature_names has {len(feature_names)} names, the model's input {inputs[0].name!r} takes {width} columns"
            )
        if feature_names is not None:
            return Signature(inputs, outputs, "matrix", feature_names, names_known=True)
        if width is not None:
            return Signature(
                inputs, outputs, "matrix", tuple(f"{inputs[0].name}.{i}" for i in range(width)), names_known=False
            )
    if inputs and all(len(t.shape) == 1 or (len(t.shape) == 2 and t.shape[1] == 1) for t in inputs):
        return Signature(inputs, outputs, "columns", tuple(t.name for t in inputs), names_known=True)
    return Signature(inputs, outputs, "tensors", (), names_known=False)
