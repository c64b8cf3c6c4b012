"""The Open Inference Protocol (V2, REST, JSON tensors) ↔ named arrays.

Source: KServe's Open Inference Protocol, `inference_rest.md` (`$inference_request`, `$inference_response`,
`$metadata_model_response`).
"""

from __future__ import annotations

from itertools import chain
from math import prod
from typing import Any

import numpy as np
import orjson

from modelyard_platform.errors import InvalidError
from modelyard_runtime.replica.onnx_model import Feed, Outputs
from modelyard_runtime.replica.signature import Signature, Tensor

_PYTHON_KINDS: dict[str, frozenset[type]] = {
    "f": frozenset({float, int}),
    "i": frozenset({int}),
    "u": frozenset({int}),
    "b": frozenset({bool}),
    "O": frozenset({str}),
}


class V2Request:
    """A decoded inference request: `feed`, `rows` (the first dimension), the client's `id` and the outputs it asks
    for (None: all)."""

    __slots__ = ("feed", "id", "outputs", "rows")

    def __init__(self, body: bytes, signature: Signature) -> None:
        """Raises InvalidError with the `path` of what is wrong, such as `inputs[1].shape`."""
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidError(
                f"the body is not JSON: {error}", code="invalid_json", path="", line=error.lineno
            ) from None
        if type(document) is not dict or type(document.get("inputs")) is not list:
            raise InvalidError('the body has to be an object with a list "inputs"', code="invalid_input", path="inputs")
        identity = document.get("id")
        if identity is not None and type(identity) is not str:
            raise InvalidError("id has to be a text", code="wrong_type", path="id")
        self.id: str | None = identity
        self.feed = _feed(document["inputs"], signature)
        self.rows = len(next(iter(self.feed.values())))
        self.outputs = _asked_outputs(document.get("outputs"), signature)


def _feed(inputs: list[Any], signature: Signature) -> Feed:
    feed: Feed = {}
    for position, given in enumerate(inputs):
        path = f"inputs[{position}]"
        if type(given) is not dict or type(given.get("name")) is not str:
            raise InvalidError(
                'an input has to be an object with a text "name"', code="invalid_input", path=f"{path}.name"
            )
        wanted = signature.input(given["name"])
        if wanted is None:
            names = [tensor.name for tensor in signature.inputs]
            raise InvalidError(
                f"unknown input {given['name']!r}; the model takes {names}", code="unknown_input", path=f"{path}.name"
            )
        if wanted.name in feed:
            raise InvalidError(f"input {wanted.name!r} is given twice", code="duplicate_input", path=f"{path}.name")
        feed[wanted.name] = _tensor(given, wanted, path)
    missing = [tensor.name for tensor in signature.inputs if tensor.name not in feed]
    if missing:
        raise InvalidError(f"missing inputs {missing}", code="missing_input", path="inputs")
    if len({len(array) for array in feed.values() if array.ndim}) > 1:
        raise InvalidError("the inputs differ in their first dimension", code="wrong_shape", path="inputs")
    return feed


def _tensor(given: dict[str, Any], wanted: Tensor, path: str) -> np.ndarray[Any, Any]:
    if given.get("datatype") != wanted.datatype:
        raise InvalidError(
            f"input {wanted.name!r} is {wanted.datatype}, not {given.get('datatype')!r}",
            code="wrong_type",
            path=f"{path}.datatype",
        )
    shape = given.get("shape")
    if type(shape) is not list or any(type(size) is not int or size < 1 for size in shape):
        raise InvalidError("shape has to be a list of whole numbers above 0", code="wrong_shape", path=f"{path}.shape")
    column = len(wanted.shape) == 2 and wanted.shape[1] == 1 and len(shape) == 1  # a column may be sent as [N]
    full = [*shape, 1] if column else shape
    if len(full) != len(wanted.shape) or any(
        want not in (None, size) for size, want in zip(full, wanted.shape, strict=True)
    ):
        raise InvalidError(
            f"input {wanted.name!r} has shape {wanted.v2_shape}, not {shape}", code="wrong_shape", path=f"{path}.shape"
        )
    values = given.get("data")
    if type(values) is not list:
        raise InvalidError("data has to be a list", code="wrong_type", path=f"{path}.data")
    for _ in shape[1:]:  # nested lists are as good as flat ones
        if set(map(type, values)) == {list}:
            values = list(chain.from_iterable(values))
    if len(values) != prod(shape):
        raise InvalidError(
            f"shape {shape} needs {prod(shape)} values, data has {len(values)}", code="wrong_shape", path=f"{path}.data"
        )
    allowed = _PYTHON_KINDS[wanted.dtype.kind]
    if not set(map(type, values)) <= allowed:
        culprit = next(i for i, value in enumerate(values) if type(value) not in allowed)
        raise InvalidError(
            f"{wanted.datatype} cannot be {orjson.dumps(values[culprit]).decode()[:80]}",
            code="wrong_type",
            path=f"{path}.data[{culprit}]",
        )
    try:
        with np.errstate(over="raise"):
            return np.array(values, dtype=wanted.dtype).reshape(full)
    except (ArithmeticError, ValueError) as error:
        raise InvalidError(
            f"data does not fit {wanted.datatype}: {error}", code="wrong_type", path=f"{path}.data"
        ) from None


def _asked_outputs(asked: Any, signature: Signature) -> frozenset[str] | None:
    if asked is None:
        return None
    if type(asked) is not list or any(type(entry) is not dict for entry in asked):
        raise InvalidError('outputs has to be a list of {"name"}', code="invalid_input", path="outputs")
    names = [tensor.name for tensor in signature.outputs]
    for position, entry in enumerate(asked):
        if entry.get("name") not in names:
            raise InvalidError(
                f"unknown output {entry.get('name')!r}; the model gives {names}",
                code="unknown_output",
                path=f"outputs[{position}].name",
            )
    return frozenset(entry["name"] for entry in asked)


def encode_response(model: str, version: str, request: V2Request, signature: Signature, outputs: Outputs) -> bytes:
    """The `$inference_response`; tensors are flattened row by row."""
    tensors = [
        {
            "name": tensor.name,
            "shape": list(array.shape),
            "datatype": tensor.datatype,
            "data": array.ravel().tolist() if array.dtype.kind == "O" else np.ascontiguousarray(array).ravel(),
        }
        for tensor, array in zip(signature.outputs, outputs, strict=True)
        if request.outputs is None or tensor.name in request.outputs
    ]
    document: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": tensors}
    if request.id is not None:
        document["id"] = request.id
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def example(signature: Signature, feed: Feed) -> bytes:
    """A request with the given arrays."""
    inputs = [
        {
            "name": t.name,
            "shape": list(feed[t.name].shape),
            "datatype": t.datatype,
            "data": feed[t.name].ravel().tolist(),
        }
        for t in signature.inputs
    ]
    return orjson.dumps({"inputs": inputs})


def metadata(model: str, version: str, signature: Signature | None) -> bytes:
    """The `$metadata_model_response`. A score script's inputs are not known: its lists are empty."""
    inputs, outputs = (signature.inputs, signature.outputs) if signature else ((), ())
    return orjson.dumps(
        {
            "name": model,
            "versions": [version],
            "platform": "onnx_onnxv1" if signature else "modelyard_script",
            "inputs": [{"name": t.name, "datatype": t.datatype, "shape": t.v2_shape} for t in inputs],
            "outputs": [{"name": t.name, "datatype": t.datatype, "shape": t.v2_shape} for t in outputs],
        }
    )
