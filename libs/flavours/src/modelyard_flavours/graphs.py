"""ONNX files and TensorFlow SavedModels: inputs and outputs from their protocol buffers, without their weights.

Sources: onnx.proto3 (ModelProto, GraphProto, ValueInfoProto), TensorFlow's saved_model.proto, meta_graph.proto and types.proto.
"""

from __future__ import annotations

from typing import BinaryIO, Final

from modelyard_flavours.found import Dim, Flavour, Signature, Tensor, UnreadableError
from modelyard_flavours.protobuf import Span, signed

_ONNX: Final = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn",
    18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4", 23: "float4e2m1",
}  # fmt: skip
_TENSORFLOW: Final = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64", 9: "int64", 10: "bool",
    14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
_OTHER_TYPES: Final = {4: "sequence", 5: "map", 8: "sparse", 9: "optional"}


def read_onnx(file: BinaryIO, path: str, size: int) -> tuple[Flavour, Signature]:
    """An ONNX model. What has an initial value is no input. Raises UnreadableError."""
    model = Span(file, 0, size)
    opset, producer, graph = None, "", None
    for number, value in model.fields():
        if number == 8 and isinstance(value, Span) and not (value.first(1) and value.first(1).text()):  # type: ignore[union-attr]  # looked at just before
            opset = value.number(2)
        elif number == 2 and isinstance(value, Span):
            producer = value.text()
        elif number == 7 and isinstance(value, Span):
            graph = value
    if graph is None or opset is None:
        raise UnreadableError("no ONNX model: it has no graph or no opset")
    weights, inputs, outputs = set(), [], []
    for number, value in graph.fields():
        if not isinstance(value, Span):
            continue
        if number == 5 and (name := value.first(8)) is not None:
            weights.add(name.text())
        elif number == 11:
            inputs.append(_onnx_value(value))
        elif number == 12:
            outputs.append(_onnx_value(value))
    signature = Signature(tuple(one for one in inputs if one.name not in weights), tuple(outputs))
    return Flavour(name="onnx", file=path, version=f"opset {opset}", loader=producer or None), signature


def _onnx_value(value: Span) -> Tensor:
    name = value.first(1)
    kind: str | None = None
    shape: tuple[Dim, ...] | None = None
    for type_ in value.spans(2):
        for number, of in type_.fields():
            if number == 1 and isinstance(of, Span):
                kind = _ONNX.get(of.number(1) or 0)
                if (found := of.first(2)) is not None:
                    shape = tuple(_onnx_dim(dim) for dim in found.spans(1))
            elif number in _OTHER_TYPES:
                kind = _OTHER_TYPES[number]
    return Tensor(name.text() if name else "", kind, shape)


def _onnx_dim(dim: Span) -> Dim:
    for number, value in dim.fields():
        if number == 1 and isinstance(value, int):
            return signed(value)
        if number == 2 and isinstance(value, Span):
            return value.text() or None
    return None


def read_saved_model(file: BinaryIO, path: str, size: int) -> tuple[Flavour, Signature | None]:
    """A SavedModel's `saved_model.pb`; the signature is that of `serving_default`, else the only one. Raises UnreadableError."""
    graph = Span(file, 0, size).first(2)
    if graph is None:
        raise UnreadableError("no SavedModel: it has no graph")
    version, signatures = None, {}
    for number, value in graph.fields():
        if number == 1 and isinstance(value, Span) and (found := value.first(5)) is not None:
            version = found.text()
        elif number == 5 and isinstance(value, Span):
            name, definition = value.first(1), value.first(2)
            if name is not None and definition is not None:
                signatures[name.text()] = definition
    signatures.pop("__saved_model_init_op", None)
    chosen = signatures.get("serving_default") or (next(iter(signatures.values())) if len(signatures) == 1 else None)
    signature = None if chosen is None else Signature(_infos(chosen, 1), _infos(chosen, 2))
    folder = path.rpartition("/")[0] or "."
    return Flavour(name="tensorflow", file=folder, version=version, loader="tf.saved_model.load"), signature


def _infos(definition: Span, number: int) -> tuple[Tensor, ...]:
    found = []
    for entry in definition.spans(number):
        name, info = entry.first(1), entry.first(2)
        if name is None or info is None:
            continue
        shape: tuple[Dim, ...] | None = None
        if (declared := info.first(3)) is not None and not declared.number(3):
            sizes = [signed(dim.number(1) or 0) for dim in declared.spans(2)]
            shape = tuple(None if size < 0 else size for size in sizes)
        found.append(Tensor(name.text(), _TENSORFLOW.get(info.number(2) or 0), shape))
    return tuple(sorted(found, key=lambda tensor: tensor.name))
