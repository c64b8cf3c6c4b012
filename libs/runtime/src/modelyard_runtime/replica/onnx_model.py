"""An ONNX model in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from modelyard_platform.errors import InvalidError
from modelyard_runtime.replica.signature import Signature, signature, tensor

Feed = dict[str, np.ndarray[Any, Any]]
Outputs = list[np.ndarray[Any, Any]]

_NVIDIA: Final = Path("/dev/nvidiactl")


class OnnxModel:
    """A loaded model: `signature`, the execution `providers` it really uses, and `run`.

    Only tensor outputs are asked for: a ZipMap's sequence of maps (`probabilities` of converters' defaults) would
    cost more than the model.

    Raises:
        ValueError: the file is no model that onnxruntime can load, or its inputs are not tensors.
    """

    def __init__(self, path: Path, *, threads: int = 1, feature_names: tuple[str, ...] | None = None) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # its warnings would be written on every start: the providers are reported below
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=_providers(ort.get_available_providers())
            )
        except Exception as error:  # onnxruntime's own exceptions share no class
            raise ValueError(
                f"{path.name} is no ONNX model that onnxruntime {ort.__version__} can load: {error}"
            ) from error
        self.providers: tuple[str, ...] = tuple(self._session.get_providers())
        inputs = [tensor(value.name, value.type, value.shape) for value in self._session.get_inputs()]
        if not all(inputs):
            odd = [value.name for value, known in zip(self._session.get_inputs(), inputs, strict=True) if known is None]
            raise ValueError(f"{path.name}: inputs {odd} are not tensors")
        outputs = [tensor(value.name, value.type, value.shape) for value in self._session.get_outputs()]
        self.signature: Signature = signature(
            tuple(t for t in inputs if t), tuple(t for t in outputs if t), feature_names
        )
        self._outputs = [t.name for t in self.signature.outputs]
        self._run = self._session.run
        self._refused = _argument_errors()

    def run(self, feed: Feed) -> Outputs:
        """The outputs for named input arrays, in the order of `signature.outputs`.

        Raises:
            InvalidError: onnxruntime refuses the arrays (a dimension the graph fixes, an index out of its range).
        """
        try:
            outputs: Outputs = self._run(self._outputs, feed)
        except self._refused as error:
            raise InvalidError(f"the model refuses this input: {error}", code="invalid_input", path="inputs") from error
        return outputs

    def example(self) -> Feed:
        """One row of zeros (empty strings), for the warm-up."""
        return {
            t.name: np.full([size or 1 for size in t.shape], "" if t.datatype == "BYTES" else 0, dtype=t.dtype)
            for t in self.signature.inputs
        }


def _providers(built_in: list[str]) -> list[str]:
    """CUDA where there is a device, else the CPU. Asking for CUDA without one works too, but onnxruntime complains on
    stderr at every start."""
    cuda = "CUDAExecutionProvider"
    return [cuda, "CPUExecutionProvider"] if cuda in built_in and _NVIDIA.exists() else ["CPUExecutionProvider"]


def _argument_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (state.InvalidArgument,)
